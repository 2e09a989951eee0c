"""Output of the verbs: one JSON document or aligned text on stdout, progress on stderr."""

import contextlib
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ...values.plain import finite
from ...values.progress import Progress, Step, Work, outcome
from .streams import result, say

T = TypeVar("T")


def print_json(value: Any) -> None:
    """Print exactly one JSON document on stdout."""
    show(json.dumps(finite(value), indent=1, allow_nan=False))


def show(text: str = "") -> None:
    """Print a part of the result on stdout."""
    print(text, file=result())


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return an aligned text table. Numbers are right-aligned with thousands separators; a dash marks an
    unknown value.

    >>> print(table(["layer", "params"], [["fc", 65000], ["norm", None]]))
    layer  params
    fc     65,000
    norm        -
    """
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    numeric = [all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(columns))]
    align = [str.rjust if is_numeric else str.ljust for is_numeric in numeric]
    lines = [
        [put(cell, width) for cell, width, put in zip(line, widths, align, strict=True)]
        for line in [columns, *cells]
    ]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return " ".join(str(value).split())


def percent(fraction: float | None) -> str:
    """Return a fraction as per cent.

    >>> percent(0.4375)
    '43.8 %'
    """
    return "-" if fraction is None else f"{fraction * 100:.1f} %"


def note(text: str) -> None:
    """Print a line for the user on stderr."""
    say(text)


def progress(text: str) -> None:
    """Print a line that the next one overwrites, if stderr is a terminal. An empty text clears it."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def followed(work: Work[T], words: Callable[[Progress], str]) -> T:
    """Return the last result of some work, and show its progress while it runs.

    Args:
        words: progress -> the text to show.
    Raises:
        ValueError: it had no result.
    """

    def shown(step: Step[T]) -> Step[T]:
        if step.progress is not None:
            progress(words(step.progress))
        return step

    value = outcome(map(shown, work))
    progress("")
    return value


def counted(now: Progress) -> str:
    """
    >>> counted(Progress(3, 1200, "timing"))
    'timing: 3 of 1200'
    """
    return f"{now.label}: {now.done} of {now.total}"
