"""Reads a TOML table key by key: wrong types, missing and unknown keys become one sentence that names the
place.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ExplorerError

TEXT_LIMIT = 4000  # characters of one text


class LessonError(ExplorerError):
    """A lesson's file contains something that is not allowed."""


class Table:
    """One table of a lesson's file.

    Raises:
        LessonError: the value is not a table, or a key is missing, unknown or of the wrong kind.
    """

    def __init__(self, value: object, where: str):
        if not isinstance(value, Mapping):
            raise LessonError(f"{where} must be a table, got {type(value).__name__}.")
        self._values, self.where, self._read = dict(value), where, set[str]()

    def _get(self, key: str, default: Any) -> Any:
        self._read.add(key)
        if key not in self._values and default is ...:
            raise LessonError(f"{self.where} lacks {key!r}.")
        return self._values.get(key, default)

    def _wrong(self, key: str, allowed: str, value: object) -> LessonError:
        return LessonError(f"{self.where}: {key!r} must be {allowed}, got {str(value)[:80]!r}.")

    def text(self, key: str, default: Any = ...) -> str:
        value = self._get(key, default)
        if not isinstance(value, str) or len(value) > TEXT_LIMIT or (default is ... and not value.strip()):
            raise self._wrong(key, f"a text of 1 to {TEXT_LIMIT:,} characters", value)
        return value.strip()

    def choice(self, key: str, allowed: Sequence[str], default: Any = ...) -> str:
        value = self._get(key, default)
        if value not in allowed:
            raise self._wrong(key, f"one of {', '.join(allowed)}", value)
        return str(value)

    def whole(self, key: str, low: int, high: int, default: Any = ...) -> Any:
        value = self._get(key, default)
        if value is None and default is None:
            return value
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self._wrong(key, f"a whole number from {low} to {high:,}", value)
        return value

    def number(self, key: str, low: float, high: float, default: Any = ...) -> float:
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self._wrong(key, f"a number from {low:g} to {high:g}", value)
        return float(value)

    def bound(self, key: str, unbound: float) -> float:
        """Return a number from -100 to 100, or the given infinity if the key is missing."""
        return self.number(key, -100, 100) if key in self._values else unbound

    def flag(self, key: str, default: bool = False) -> bool:
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false", value)
        return value

    def texts(self, key: str, default: Any = ()) -> tuple[str, ...]:
        value = self._get(key, default)
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise self._wrong(key, "a list of texts", value)
        return tuple(value)

    def numbers(self, key: str, low: float, high: float, default: Any = ()) -> tuple[float, ...]:
        value = self._get(key, default)
        fits = isinstance(value, list | tuple) and all(
            isinstance(item, int | float) and not isinstance(item, bool) and low <= item <= high
            for item in value
        )
        if not fits:
            raise self._wrong(key, f"a list of numbers from {low:g} to {high:g}", value)
        return tuple(float(item) for item in value)

    def table(self, key: str, default: Any = ...) -> "Table":
        return Table(self._get(key, default), f"{self.where}, {key}")

    def tables(self, key: str, fewest: int = 1) -> list["Table"]:
        """Return a list of at least this many tables."""
        value = self._get(key, ... if fewest else [])
        if not isinstance(value, list) or len(value) < fewest:
            raise self._wrong(key, f"a list of at least {fewest} tables", value)
        return [Table(item, f"{self.where}, {key} {place}") for place, item in enumerate(value, 1)]

    def rest(self, key: str) -> dict[str, Any]:
        """Return a table that is checked elsewhere; empty if the key is missing."""
        value = self._get(key, {})
        if not isinstance(value, Mapping):
            raise self._wrong(key, "a table", value)
        return dict(value)

    def done(self) -> None:
        """Check that every key was read.

        Raises:
            LessonError: one was not, so it is misspelt.
        """
        unknown = sorted(set(self._values) - self._read)
        if unknown:
            raise LessonError(
                f"{self.where} has no key {unknown[0]!r}. Its keys are {', '.join(sorted(self._read))}."
            )
