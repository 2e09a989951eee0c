"""A table in a text file: one row a sample, one column the target, the others what the model reads."""

import csv as reading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import LoadError
from ..registry import DATA
from ..values.subject import Task
from .reader import ANY, Reader, check_request
from .table_columns import Columns, table_task

MAX_BYTES = 1024**3
CELLS = 1_000_000  # that are read before they become numbers


@DATA.register("csv", rank=13, place="FILE", local_only=True)
def csv(path: str = "", reader: Reader = ANY, *, target: str = "", samples: int = 10_000) -> Task:
    """A table with a line of column names: numbers that the model reads, and a target column (?target=NAME).

    Args:
        path: of the file. Every other column must hold numbers, in the order in which the model reads them.
        reader: the model that they are for.
        target: the column of classes, where the model gives a row of scores, or else of numbers to predict.
        samples: at most so many a split are used.
    Raises:
        LoadError: the file cannot be read, a column is missing, or a cell holds no number.
    """
    check_request("csv:FILE?target=NAME", path, samples)
    file = Path(path).expanduser()
    with _opened(file) as table:
        names = [name.strip() for name in next(table, [])]

    @cache
    def content() -> _Content:
        return _read(file, names.index(target))

    def numbers(place: int) -> Tensor:
        if names[place] != target:
            return content().numbers[place]
        return torch.from_numpy(_numbers(content().texts, file, 0))

    return table_task(
        Columns("csv", file, names, numbers, lambda _: content().texts), target, reader, samples
    )


@dataclass(frozen=True)
class _Content:
    """What a table holds.

    Args:
        numbers: place of a column -> (rows,) float32; that of the target is not there.
        texts: the target's cells.
    """

    numbers: dict[int, Tensor]
    texts: list[str]


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """Open the rows of a table; errors in it become one sentence.

    Raises:
        LoadError: there is no such file, it is too large, or no table.
    """
    if not file.is_file():  # a pipe or a device would be waited for, or never end
        raise LoadError(f"There is no file {str(file)[-200:]!r}; give the path of a .csv file.")
    try:
        if file.stat().st_size > MAX_BYTES:
            raise LoadError(f"{file.name!r} is larger than 1 GiB; store it as npz or parquet.")
        with file.open(newline="", encoding="utf-8-sig") as text:
            yield reading.reader(text)
    except (OSError, UnicodeDecodeError, reading.Error) as error:
        raise LoadError(
            f"{str(file)!r} cannot be read as a table ({error}); store it as UTF-8 text."
        ) from error


def _read(file: Path, target: int) -> _Content:
    """Read a table in portions, so that a long one is never held as text."""
    columns: dict[int, list[np.ndarray]] = {}
    texts: list[str] = []
    known: dict[str, str] = {}
    with _opened(file) as table:
        width = len(next(table, []))
        rows = filter(None, table)
        while portion := list(islice(rows, max(1, CELLS // max(1, width)))):
            if set(map(len, portion)) != {width}:
                ragged = next(place for place, row in enumerate(portion) if len(row) != width)
                line, cells = _line(file, len(texts) + ragged), len(portion[ragged])
                raise LoadError(f"Line {line} of {file.name!r} has {cells} cells instead of {width}.")
            for place, column in enumerate(zip(*portion, strict=True)):
                if place != target:
                    columns.setdefault(place, []).append(_numbers(column, file, len(texts)))
            texts += (known.setdefault(cell, cell) for cell in (row[target].strip() for row in portion))
    if not texts:
        raise LoadError(f"{file.name!r} must have a line of column names and at least one row.")
    return _Content(
        {place: torch.from_numpy(np.concatenate(found)) for place, found in columns.items()}, texts
    )


def _numbers(cells: Sequence[str], file: Path, first: int) -> np.ndarray:
    """Return cells of a column as float32.

    Args:
        first: the row of the first of them.
    Raises:
        LoadError: one of them is no finite number; the message gives its line.
    """
    column = np.full(len(cells), np.nan)
    try:
        column = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        for row, cell in enumerate(cells):
            column[row] = _number(cell)
    odd = np.flatnonzero(~np.isfinite(column))
    if len(odd):
        line, cell = _line(file, first + int(odd[0])), cells[odd[0]]
        raise LoadError(f"Line {line} of {file.name!r} holds {cell[:40]!r} where a number must be.")
    return column.astype(np.float32)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan


def _line(file: Path, row: int) -> int:
    """Return the line on which a row ends; empty lines and quoted ones are no rows of their own."""
    with _opened(file) as table:
        next(table)
        next(islice(filter(None, table), row, None))
        return int(table.line_num)
