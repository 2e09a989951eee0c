"""Texts -> windows of tokens: what a language model reads, and the tokens that it should answer.

Windows of one document have the same number as their unit, so that an interval treats a document as one
sample.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ..metrics.checks import IGNORED
from ..values.samples import Split
from ..values.text import TextForm

SEED = 0
HIDDEN = 0.15  # share of tokens that are hidden from a masked model (Devlin et al. 2019, arXiv:1810.04805)


@dataclass(frozen=True)
class Document:
    """A text as tokens.

    Args:
        tokens: (tokens,) int64.
        sizes: (tokens,) bytes of text that each token adds.
    """

    tokens: np.ndarray
    sizes: np.ndarray


def document_of(text: str, form: TextForm) -> Document:
    """Return a text as tokens; those with which a document starts come first, and have no bytes."""
    tokens, sizes = form.encode(text)
    return Document(
        np.concatenate([np.array(form.start, dtype=np.int64), np.asarray(tokens, dtype=np.int64)]),
        np.concatenate([np.zeros(len(form.start), np.int64), np.asarray(sizes, dtype=np.int64)]),
    )


def window_starts(tokens: int, length: int, most: int | None = None) -> list[int]:
    """Return where windows start: one after the other; the last ends with the text, so it may overlap the one
    before. A text shorter than a window gives one window.

    Args:
        tokens: of the text.
        length: tokens of a window.
        most: windows; of more, evenly spaced ones are taken.

    >>> window_starts(10, 4), window_starts(3, 4), window_starts(400, 4, most=3)
    ([0, 4, 6], [0], [0, 200, 396])
    """
    starts = list(range(0, max(1, tokens - length + 1), length))
    if starts[-1] + length < tokens:
        starts.append(tokens - length)
    if most is None or len(starts) <= most:
        return starts
    return [starts[round(k * (len(starts) - 1) / max(1, most - 1))] for k in range(most)]


def next_token_windows(
    documents: Sequence[Document], length: int, most: int | None = None, samples: int | None = None
) -> Split:
    """Return windows for a model that answers with the token after each position.

    Inputs are (windows, length) int64. Targets are (tokens, bytes): the token after each position, IGNORED
    where an earlier window already asks for it or the text has ended, and the bytes of the others.

    Args:
        most: windows of a document. samples: windows at all; the first in their seeded order.
    """
    windows = _Windows(samples)
    for number, document in enumerate(documents):
        done = 0
        asked = len(document.tokens) - 1  # the first token is never asked for, the last never read
        for start in window_starts(asked, length, most) if asked > 0 else []:
            windows.add(partial(_next_window, document, start, length, max(0, done - start)), number)
            done = start + min(length, asked - start)
    return windows.split()


def _next_window(document: Document, start: int, length: int, old: int) -> "Row":
    """Return one window, of whose answers an earlier one has the first `old`."""
    read = document.tokens[start : min(start + length, len(document.tokens) - 1)]
    answers = document.tokens[start + 1 : start + 1 + length].copy()
    sizes = document.sizes[start + 1 : start + 1 + length]
    answers[:old] = IGNORED
    return _filled(read, length, 0), _filled(answers, length, IGNORED), int(sizes[old:].sum())


def masked_windows(
    documents: Sequence[Document],
    length: int,
    form: TextForm,
    most: int | None = None,
    samples: int | None = None,
) -> Split:
    """Return windows for a model that answers with the token at each position: 15 % of them, drawn from a
    seed, are hidden, and only those are asked for.
    """
    assert form.mask is not None
    generator, windows = np.random.default_rng(SEED), _Windows(samples)
    for read, where, sizes, number in _whole_windows(documents, length, form, most):
        hidden = where & (generator.random(length) < HIDDEN)
        if not hidden.any():
            hidden[generator.choice(np.flatnonzero(where))] = True
        answers = np.where(hidden, read, IGNORED)
        row = np.where(hidden, form.mask, read), answers, int(sizes[hidden].sum())
        windows.add(partial(_ready, row), number)
    return windows.split()


def plain_windows(
    documents: Sequence[Document],
    length: int,
    form: TextForm,
    most: int | None = None,
    samples: int | None = None,
) -> Split:
    """Return windows without targets."""
    windows = _Windows(samples)
    for read, _, _, number in _whole_windows(documents, length, form, most):
        windows.add(partial(_ready, (read, read, 0)), number)
    split = windows.split()
    return Split(split.inputs, None, split.units)


def _whole_windows(
    documents: Sequence[Document], length: int, form: TextForm, most: int | None
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, int]]:
    """Return (tokens, which are of the text, their bytes, document) of windows that are full; documents that
    do not fill one are left out.
    """
    room = length - len(form.before) - len(form.after)
    windows = []
    where = np.zeros(length, dtype=bool)
    where[len(form.before) : len(form.before) + room] = True
    for number, document in enumerate(documents):
        if len(document.tokens) < room:
            continue
        for start in window_starts(len(document.tokens), room, most):
            inner = document.tokens[start : start + room]
            sizes = np.zeros(length, dtype=np.int64)
            sizes[where] = document.sizes[start : start + room]
            windows.append(
                (np.concatenate([form.before, inner, form.after]).astype(np.int64), where, sizes, number)
            )
    return windows


def _filled(values: np.ndarray, length: int, value: int) -> np.ndarray:
    row = np.full(length, value, dtype=np.int64)
    row[: len(values)] = values
    return row


Row = tuple[np.ndarray, np.ndarray, int]  # what is read, the answers, and how many bytes they have


def _ready(row: Row) -> Row:
    return row


class _Windows:
    """Rows that become a split; of many, only those that are taken are made."""

    def __init__(self, samples: int | None) -> None:
        self.samples = samples
        self.makers: list[Callable[[], Row]] = []
        self.units: list[int] = []

    def add(self, make: Callable[[], Row], unit: int) -> None:
        self.makers.append(make)
        self.units.append(unit)

    def split(self) -> Split:
        """Return the rows in a seeded order."""
        if not self.makers:
            return Split(torch.zeros(0, 1, dtype=torch.int64))
        order = torch.randperm(len(self.makers), generator=torch.Generator().manual_seed(SEED))[
            : self.samples
        ]
        inputs, answers, sizes = zip(*(self.makers[k]() for k in order.tolist()), strict=True)
        return Split(_rows(inputs), (_rows(answers), torch.tensor(sizes)), torch.tensor(self.units)[order])


def _rows(arrays: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(arrays).astype(np.int64))


Cut = Callable[[Sequence[Document], int, int | None, int | None], Split]


def cut_for(form: TextForm) -> Cut:
    """Return how documents are cut into windows for a vocabulary's model."""
    if form.answers == "next":
        return next_token_windows
    cut = masked_windows if form.answers == "masked" else plain_windows
    return lambda documents, length, most, samples: cut(documents, length, form, most, samples)
