"""Reads the long lists of a JSON file row by row, so that a million of them never are in memory at once.

A text is taken and refused as by `json.loads`: each row is read by the decoder of the standard library.
"""

import codecs
import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from ..machine.bounded_file import parts_bounded

AT_ONCE = 4096  # rows
LEAST = 2**20  # characters that are read before they are looked at
NEAR_END = 16  # characters: an error there may be due to a number or a word that goes on
DECODER = json.JSONDecoder()
SPACE, BETWEEN = re.compile(r"[ \t\n\r]*"), re.compile(r"[ \t\n\r]*,[ \t\n\r]*")
Batch = list[Any]


def rows(path: Path, limit: int, names: Collection[str]) -> Iterator[tuple[str, Batch | None]]:
    """Yield the rows of those lists of a JSON object that have these names, some thousand at a time.

    A list begins with an empty batch. If a name comes again, what it held before does not count. Without a
    list there is None. A file that holds no object yields nothing.

    Args:
        limit: bytes of the file.
    Raises:
        OSError: as of `read_bounded`.
        ValueError, RecursionError: the file is not JSON, as `json.loads` says.
    """
    text = _Text(parts_bounded(path, limit))
    if text.sign() != "{":
        text.value()
    else:
        yield from _fields(text, names)
    if text.sign():
        raise ValueError("more follows")


def row(path: Path, limit: int, name: str, place: int) -> Any:
    """Return one row of a list; raises as `rows`, and LookupError if it is not there."""
    first, known = 0, dict[int, Any]()
    for _, batch in rows(path, limit, (name,)):
        first, known = (first, known) if batch else (0, {})
        if batch and first <= place < first + len(batch):
            known = {place: batch[place - first]}
        first += len(batch or ())
    return known[place]


def _fields(text: "_Text", names: Collection[str]) -> Iterator[tuple[str, Batch | None]]:
    text.place += 1
    if text.sign() == "}":
        text.place += 1
        return
    while True:
        if text.sign() != '"':
            raise ValueError("a name is missing")
        name = text.value()
        text.pass_over(":")
        if name not in names:
            text.value()
        elif text.sign() == "[":
            yield from ((name, batch) for batch in text.batches())
        else:
            text.value()
            yield name, None
        if text.sign() == "}":
            text.place += 1
            return
        text.pass_over(",")


class _Text:
    """The part of a file that is looked at, from a place on."""

    def __init__(self, parts: Iterator[bytes]):
        first = b""
        while len(first) < 4 and (part := next(parts, b"")):
            first += part
        self._parts = parts
        self._decode = codecs.getincrementaldecoder(json.detect_encoding(first))("surrogatepass").decode
        self._text, self.place, self._is_whole = self._decode(first), 0, False

    def _more(self) -> bool:
        """Read on, at least as much as is not passed over yet; return whether there was anything."""
        if self._is_whole:
            return False
        pieces = [self._text[self.place :]]
        length, wanted = 0, max(LEAST, len(pieces[0]))
        while length < wanted and not self._is_whole:
            part = next(self._parts, b"")
            self._is_whole = not part
            pieces.append(self._decode(part, not part))
            length += len(pieces[-1])
        if length:
            self._text, self.place = "".join(pieces), 0
        return length > 0

    def sign(self) -> str:
        """Pass over space and return the sign that follows; "" at the end."""
        while True:
            self.place = _end(SPACE, self._text, self.place)
            if self.place < len(self._text):
                return self._text[self.place]
            if not self._more():
                return ""

    def pass_over(self, sign: str) -> None:
        if self.sign() != sign:
            raise ValueError(f"{sign} is missing")
        self.place += 1

    def value(self) -> Any:
        """Pass over the next value and return it."""
        self.sign()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self.place)
            except json.JSONDecodeError as error:
                may_go_on = error.pos >= len(self._text) - NEAR_END or error.msg.startswith("Unterminated")
                if may_go_on and self._more():
                    continue
                raise
            is_closed = isinstance(value, dict | list | str) or end < len(self._text) - NEAR_END
            if not is_closed and self._more():  # a number may go on, also where "1" is read of "1e-"
                continue
            self.place = end
            return value

    def batches(self) -> Iterator[Batch]:
        """Pass over a list and yield its rows."""
        self.place += 1
        yield []
        if self.sign() == "]":
            self.place += 1
            return
        while True:
            batch = [self.value()]
            self._add_whole(batch)
            yield batch
            if self.sign() == "]":
                self.place += 1
                return
            self.pass_over(",")

    def _add_whole(self, batch: Batch) -> None:
        """Add the objects that follow and are whole; everything else is left to `value`."""
        text, scan = self._text, DECODER.scan_once  # type: ignore[attr-defined]
        while len(batch) < AT_ONCE:
            if text.startswith(", {", self.place):
                start = self.place + 2
            elif (start := _end(BETWEEN, text, self.place)) == self.place or text[start : start + 1] != "{":
                return
            try:
                value, self.place = scan(text, start)
            except (StopIteration, json.JSONDecodeError):
                return
            batch.append(value)


def _end(pattern: re.Pattern[str], text: str, place: int) -> int:
    found = pattern.match(text, place)
    return found.end() if found else place
