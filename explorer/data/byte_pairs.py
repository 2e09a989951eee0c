"""Text as whole numbers: bytes, and pairs of them that were merged because they often follow one another.

Byte pair encoding (Sennrich et al. 2016, arXiv:1508.07909) on bytes. A merge never crosses the border of a
word, so every word is encoded once.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np

from ..errors import LoadError

BYTES = 256
SHORT = 32  # bytes of a word that is merged alone
END = -1  # between words that are merged together
WORDS = re.compile(rb" ?[A-Za-z_]+| ?[0-9]+|\n[ ]*| ?[^\sA-Za-z0-9_]+|\s+|[\x00-\xff]")


class BytePairs:
    """A vocabulary of 256 bytes and some merges; token 256 + k is the k-th merge.

    Args:
        merges: pairs of earlier tokens, in the order in which they are applied.
    Raises:
        LoadError: a pair uses a token that does not exist yet.
    """

    def __init__(self, merges: Sequence[tuple[int, int]]):
        self.merges = tuple(merges)
        self._known: dict[bytes, list[int]] = {}
        for k, pair in enumerate(self.merges):
            if len(pair) != 2 or not all(0 <= token < BYTES + k for token in pair):
                raise LoadError(f"Merge {k} must join two tokens from 0 to {BYTES + k - 1}, got {pair}.")

    def __len__(self) -> int:
        return BYTES + len(self.merges)

    @cached_property
    def pieces(self) -> tuple[bytes, ...]:
        """Return the bytes of each token."""
        pieces = [bytes([byte]) for byte in range(BYTES)]
        for left, right in self.merges:
            pieces.append(pieces[left] + pieces[right])
        return tuple(pieces)

    @cached_property
    def _ranks(self) -> dict[tuple[int, int], int]:
        return {pair: k for k, pair in enumerate(self.merges)}

    def encode(self, text: str) -> np.ndarray:
        """Return the tokens of a text, (tokens,) int64.

        >>> BytePairs([(97, 98), (256, 99)]).encode("abcab").tolist()
        [257, 256]
        """
        tokens: list[int] = []
        words = WORDS.findall(text.encode())
        new = [word for word in dict.fromkeys(words) if len(word) > SHORT and word not in self._known]
        self._known |= zip(new, self._merged_together(new), strict=True)
        for word in words:
            if word not in self._known:
                self._known[word] = self._merged(list(word))
            tokens += self._known[word]
        return np.array(tokens, dtype=np.int64)

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text of tokens; bytes that are no text become a replacement character."""
        return b"".join(self.pieces[token] for token in tokens).decode(errors="replace")

    def _merged(self, word: list[int]) -> list[int]:
        """Apply the earliest merge that fits until none does."""
        while len(word) > 1:
            pair = min(pairwise(word), key=lambda pair: self._ranks.get(pair, len(self)))
            if pair not in self._ranks:
                break
            word = joined(word, pair, BYTES + self._ranks[pair])
        return word

    def _merged_together(self, words: Sequence[bytes]) -> list[list[int]]:
        """Apply each merge once, in order, to all words; none makes a pair that an earlier one joins."""
        ended = [part for word in words for part in (np.frombuffer(word, np.uint8).astype(np.int32), [END])]
        row = np.concatenate([np.zeros(0, np.int32), *ended]).astype(np.int32)
        present = set(np.unique(row).tolist())
        for pair, rank in sorted(self._ranks.items(), key=lambda item: item[1]):
            if present.issuperset(pair):
                places = apart(np.flatnonzero((row[:-1] == pair[0]) & (row[1:] == pair[1])))
                row[places] = BYTES + rank
                row = np.delete(row, places + 1)
                present.add(BYTES + rank)
        ends = np.flatnonzero(row == END)
        starts = np.append(0, ends[:-1] + 1)
        return [row[start:end].tolist() for start, end in zip(starts[: len(ends)], ends, strict=True)]


def apart(places: np.ndarray) -> np.ndarray:
    """Return places of pairs that do not overlap, from the left.

    Args:
        places: (n,) increasing; where two follow one another, the pairs share a token.

    >>> apart(np.array([0, 1, 2, 5, 6])).tolist()
    [0, 2, 5]
    """
    starts = np.flatnonzero(np.diff(places, prepend=-2) > 1)
    first = np.repeat(places[starts], np.diff(np.append(starts, len(places))))
    return places[(places - first) % 2 == 0]


def joined(word: Sequence[int], pair: tuple[int, int], token: int) -> list[int]:
    """Return a word with each occurrence of a pair replaced by one token, from the left.

    >>> joined([1, 1, 1, 2], (1, 1), 9)
    [9, 1, 2]
    """
    result: list[int] = []
    for one in word:
        if result and (result[-1], one) == pair:
            result[-1] = token
        else:
            result.append(one)
    return result
