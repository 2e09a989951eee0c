"""A table in a text file: one row a sample, one column the target, the others what the model reads."""

import csv as reading
import math
from pathlib import Path

import torch
from torch import Tensor

from ..errors import LoadError
from ..registry import DATA
from ..values.samples import Split
from ..values.subject import Normalisation, Task
from .any_targets import YES_OR_NO, is_yes_or_no
from .ordering import stratified_order
from .pool import HALVES, file_facts, fingerprint
from .reader import ANY, Reader, check_request, class_name

MAX_BYTES, MAX_CLASSES = 1024**3, 1000


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
    names, rows = _table(file)
    if target not in names:
        raise LoadError(
            f"{file.name!r} has no column {target[:80]!r}; name the target with ?target=NAME. Its columns "
            f"are {', '.join(class_name(name) for name in names[:20])}."
        )
    place = names.index(target)
    inputs = torch.tensor(
        [[_number(cell, number, file) for k, cell in enumerate(row) if k != place] for number, row in rows]
    )
    cells = [row[place].strip() for _, row in rows]
    classes = _classes(cells, reader)
    if classes is None:
        targets = torch.tensor(
            [[_number(cell, number, file)] for (number, _), cell in zip(rows, cells, strict=True)]
        )
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    else:
        known = {name: number for number, name in enumerate(classes)}
        targets = torch.tensor([known[cell] for cell in cells])
        order = stratified_order(targets, seed=0)
    others = [name for name in names if name != target]
    what = f"{len(classes)} classes" if classes else "numbers to predict"
    asked = classes is None and is_yes_or_no(targets, reader)
    how = f"Inputs are {', '.join(map(class_name, others[:12]))}; {class_name(target)} holds {what}."
    if asked:
        how = f"Inputs are {', '.join(map(class_name, others[:12]))}. {YES_OR_NO}"
    return Task(
        f"csv:{file.name}",
        tuple(inputs.shape[1:]),
        classes or (),
        note=HALVES,
        source=str(file),
        fingerprint=fingerprint([*file_facts([file], file.parent), target, samples]),
        how=(how,),
        data=_halves(inputs, targets, order, samples),
        metric="accuracy" if classes else "binary_accuracy" if asked else ("mae", "r2"),
        normalisation=Normalisation(),
    )


def _halves(inputs: Tensor, targets: Tensor, order: Tensor, samples: int) -> dict[str, Split]:
    middle = (len(order) + 1) // 2
    halves = {"tuning": order[:middle][:samples], "held_out": order[middle:][:samples]}
    return {name: Split(inputs[chosen], targets[chosen]) for name, chosen in halves.items() if len(chosen)}


def _table(file: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Column names, and (line, cells) of each row."""
    try:
        if file.stat().st_size > MAX_BYTES:
            raise LoadError(f"{file.name!r} is larger than 1 GiB; store it as npz.")
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
        return math.isfinite(float(cell))
    except ValueError:
        return False
