"""Which rows of a long table always run; the others run with --heavy."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest


def some(rows: Iterable[Any], every: int, *, always: Sequence[Any] = ()) -> list[Any]:
    """Return the rows for `parametrize`: the first, each so many after it and those of `always` as they are,
    the others marked heavy.
    """
    return [
        pytest.param(
            *(row if isinstance(row, tuple) else (row,)),
            marks=() if place % every == 0 or row in always else pytest.mark.heavy,
        )
        for place, row in enumerate(rows)
    ]
