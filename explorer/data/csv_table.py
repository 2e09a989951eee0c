"""A table in a text file: one row a sample, one column the target, the others what the model reads."""

import csv as reading
import math
from pathlib import Path

import torch
from torch import Tensor

from ..errors import LoadError
from ..registry import DATA
from ..values.subject import Task
from .reader import ANY, Reader, check_request
from .table_columns import Columns, table_task

MAX_BYTES = 1024**3


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
    names, rows = _read(file)

    def numbers(place: int) -> Tensor:
        return torch.tensor([_number(row[place], line, file) for line, row in rows])

    def texts(place: int) -> list[str]:
        return [row[place].strip() for _, row in rows]

    return table_task(Columns("csv", file, names, numbers, texts), target, reader, samples)


def _read(file: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return column names, and (line, cells) of each row."""
    if not file.is_file():  # a pipe or a device would be waited for, or never end
        raise LoadError(f"There is no file {str(file)[-200:]!r}; give the path of a .csv file.")
    try:
        if file.stat().st_size > MAX_BYTES:
            raise LoadError(f"{file.name!r} is larger than 1 GiB; store it as npz or parquet.")
        with file.open(newline="", encoding="utf-8-sig") as text:
            table = reading.reader(text)
            names = next(table, [])
            rows = [(table.line_num, row) for row in table if row]
    except (OSError, UnicodeDecodeError, reading.Error) as error:
        raise LoadError(
            f"{str(file)!r} cannot be read as a table ({error}); store it as UTF-8 text."
        ) from error
    if not names or not rows:
        raise LoadError(f"{file.name!r} must have a line of column names and at least one row.")
    for number, row in rows:
        if len(row) != len(names):
            raise LoadError(f"Line {number} of {file.name!r} has {len(row)} cells instead of {len(names)}.")
    return [name.strip() for name in names], rows


def _number(cell: str, line: int, file: Path) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise LoadError(f"Line {line} of {file.name!r} holds {cell[:40]!r} where a number must be.")
    return value
