"""Columns of a table, of whatever file: one the target, the others what the model reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import torch
from torch import Tensor

from ..errors import LoadError
from ..values.samples import Split
from ..values.subject import Task
from .any_targets import YES_OR_NO, is_yes_or_no
from .ordering import stratified_order
from .pool import HALVES, file_facts, fingerprint
from .reader import Reader, class_name

MAX_CLASSES = 1000
MISSING = ("", "nan", "none")


@dataclass(frozen=True)
class Columns:
    """A table that can be read column by column.

    Args:
        kind: the name of the format, such as "csv".
        names: of the columns.
        numbers: a column's place -> (rows,) float32; raises LoadError, which names the cell, if one holds no
            finite number.
        texts: a column's place -> its cells as text.
    """

    kind: str
    file: Path
    names: Sequence[str]
    numbers: Callable[[int], Tensor]
    texts: Callable[[int], list[str]]


def table_task(table: Columns, target: str, reader: Reader, samples: int) -> Task:
    """Return a task of classes, where the model gives a row of scores, or else of numbers to predict.

    Raises:
        LoadError: there is no target column, or a cell holds no number.
    """
    names, file = table.names, table.file
    _check_names(names, target, f"{file.name!r}")
    place = names.index(target)
    others = [number for number in range(len(names)) if number != place]
    if not others:
        raise LoadError(f"{file.name!r} has the target column alone; add columns that the model reads.")
    if (shape := (len(others),)) != reader.shape:  # before a million columns are read
        raise LoadError(
            f"Inputs in {file.name!r} have the shape {shape}, but the model reads {reader.shape}."
        )
    inputs = torch.stack([table.numbers(number) for number in others], 1)
    cells = table.texts(place)
    missing = {cell for cell in set(cells) if cell.lower() in MISSING}
    if missing:
        empty = next(row for row, cell in enumerate(cells, 1) if cell in missing)
        raise LoadError(
            f"Column {class_name(target)!r} of {file.name!r} is empty in row {empty:,}; fill it in, or "
            "remove the row."
        )
    classes = _classes(cells, reader)
    if classes is None:
        targets = table.numbers(place)[:, None]
        order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(0))
    else:
        known = {name: number for number, name in enumerate(classes)}
        targets = torch.tensor([known[cell] for cell in cells])
        order = stratified_order(targets, seed=0)
    asked = classes is None and is_yes_or_no(targets, reader)
    what = f"{len(classes)} classes" if classes else "numbers to predict"
    holds = YES_OR_NO if asked else f"{class_name(target)} holds {what}."
    read = ", ".join(class_name(names[number]) for number in others[:12])
    return Task(
        f"{table.kind}:{file.name}",
        tuple(inputs.shape[1:]),
        classes or (),
        note=HALVES,
        source=str(file),
        fingerprint=fingerprint([*file_facts([file], file.parent), target, samples]),
        how=(f"Inputs are {read}{'. ' if asked else '; '}{holds}",),
        data=_halves(inputs, targets, order, samples),
        metric="accuracy" if classes else "binary_accuracy" if asked else ("mae", "r2"),
    )


def _check_names(names: Sequence[str], target: str, file: str) -> None:
    if not any(names):
        raise LoadError(f"{file} has no column names; its first line must name the columns, such as a,b,y.")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        called = f"called {class_name(twice)!r}" if twice else "without a name"
        raise LoadError(f"{file} has two columns {called}; give each a name of its own.")
    if target in names and target:
        return
    lacks = f"has no column {target[:80]!r}" if target else "needs a column to predict"
    known = ", ".join(class_name(name) for name in names[:20])
    raise LoadError(f"{file} {lacks}; name the target with ?target=NAME. Its columns are {known}.")


def _halves(inputs: Tensor, targets: Tensor, order: Tensor, samples: int) -> dict[str, Split]:
    middle = (len(order) + 1) // 2
    halves = {"tuning": order[:middle][:samples], "held_out": order[middle:][:samples]}
    return {name: Split(inputs[chosen], targets[chosen]) for name, chosen in halves.items() if len(chosen)}


def _classes(cells: list[str], reader: Reader) -> tuple[str, ...] | None:
    """Names in the order of their numbers: whole numbers as they are, texts by the model's order, else
    sorted; None where targets are numbers to predict.

    Raises:
        LoadError: there are texts, but the model does not answer with classes.
    """
    labels = set(cells)
    if all(_is_whole(cell) for cell in labels):
        if (
            reader.any_answer
            or reader.classes is None
            or max(map(int, labels)) >= min(reader.classes, MAX_CLASSES)
        ):
            return None
        return tuple(map(str, range(reader.classes)))
    if all(_is_real(cell) for cell in labels):
        return None
    named = reader.preset.class_names
    if labels <= set(named):
        return named
    if reader.classes != len(labels):
        raise LoadError(
            f"The target column holds {len(labels):,} texts, but the model tells "
            f"{reader.classes or 'no'} classes apart."
        )
    return tuple(sorted(labels))


def _is_whole(cell: str) -> bool:
    return cell.isdecimal() and len(cell) < 10


def _is_real(cell: str) -> bool:
    try:
        return isfinite(float(cell))
    except ValueError:
        return False
