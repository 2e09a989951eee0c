"""A table in a parquet file, read column by column with pyarrow, which is imported when it is needed."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import LoadError
from ..machine.optional_packages import optional
from ..registry import DATA
from ..values.subject import Task
from .reader import ANY, Reader, check_request, class_name
from .table_columns import Columns, table_task

MAX_CELLS = 2**28
READABLE = "whole numbers, fractions, or true and false"


@DATA.register("parquet", rank=13, place="FILE", local_only=True)
def parquet(path: str = "", reader: Reader = ANY, *, target: str = "", samples: int = 10_000) -> Task:
    """A table in a parquet file: numbers that the model reads, and a target column (?target=NAME).

    Args:
        path: of the file. Every other column must hold numbers, in the order in which the model reads them.
        reader: the model that they are for.
        target: the column of classes, where the model gives a row of scores, or else of numbers to predict.
        samples: at most so many a split are used.
    Raises:
        LoadError: the file cannot be read, a column is missing, or a cell holds no number.
    """
    check_request("parquet:FILE?target=NAME", path, samples)
    file = Path(path).expanduser()
    opened = _opened(file)
    names = list(opened.schema_arrow.names)

    def column(place: int) -> Any:
        return _guarded(file, lambda: opened.read(columns=[names[place]]).column(0).combine_chunks())

    def numbers(place: int) -> Tensor:
        return _numbers(column(place), f"Column {class_name(names[place])!r} of {file.name!r}")

    def texts(place: int) -> list[str]:
        return [_text(cell) for cell in column(place).to_pylist()]

    return table_task(Columns("parquet", file, names, numbers, texts), target, reader, samples)


def _opened(file: Path) -> Any:
    library = optional("pyarrow.parquet")
    if not file.is_file():
        raise LoadError(f"There is no file {str(file)!r}; give the path of a .parquet file.")
    opened = _guarded(file, lambda: library.ParquetFile(file))
    rows, columns = opened.metadata.num_rows, len(opened.schema_arrow.names)
    if not rows:
        raise LoadError(f"{file.name!r} has no rows.")
    if rows * columns > MAX_CELLS:
        raise LoadError(f"{file.name!r} has {rows * columns:,} cells; up to {MAX_CELLS:,} are read.")
    return opened


def _guarded(file: Path, read: Any) -> Any:
    try:
        return read()
    except (OSError, ValueError, optional("pyarrow").ArrowException) as error:
        told = " ".join(str(error).split())[:160]
        raise LoadError(
            f"{file.name!r} cannot be read as a parquet table ({told}); write it again."
        ) from error


def _numbers(column: Any, what: str) -> Tensor:
    """Return (rows,) float32."""
    types = optional("pyarrow").types
    kind = column.type
    if not any(
        fits(kind) for fits in (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    ):
        raise LoadError(f"{what} holds {kind}, but a model reads {READABLE}.")
    values = np.asarray(
        column.to_numpy(zero_copy_only=False), dtype=np.float64
    )  # what is missing becomes NaN
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise LoadError(f"{what} has no number in row {wrong[0] + 1:,}; fill it in, or remove the row.")
    return torch.from_numpy(values.astype(np.float32))


def _text(cell: object) -> str:
    """Return a cell as it is in a text file: true and false as 1 and 0."""
    return str(int(cell)) if isinstance(cell, bool) else "" if cell is None else str(cell).strip()
