"""Arrays whose targets are no class numbers: numbers to predict, masks, or none at all."""

import numpy as np
import torch
from torch import Tensor

from ..errors import LoadError
from ..values.samples import Split
from ..values.subject import Normalisation, Task
from .arrays import Arrays
from .pool import HALVES, fingerprint
from .reader import Reader

YES_OR_NO = "Targets are 0 and 1 and the model has one output, so they are two classes: above 0 means 1."
ALONE = ("inputs", "x", "x_test")


def of_classes(arrays: Arrays, targets: str | None, reader: Reader) -> bool:
    """Whether targets are to be one class number a sample, as for a model that gives a row of scores."""
    if targets is None or reader.any_answer:
        return False
    shape, dtype = arrays.form(targets)
    return not (dtype.kind == "f" and shape[1:] == (reader.classes,))  # as many numbers to predict


def other_task(
    arrays: Arrays, names: tuple[str, str | None], reader: Reader, rule: Normalisation, samples: int
) -> Task:
    """Inputs with any targets, or none; halved in a seeded order.

    Whole numbers of more than one dimension are masks (mean IoU), 0 and 1 for a model with one output are two
    classes, others numbers to predict (mean absolute error); without targets agreement with the dense model
    is measured.

    Raises:
        LoadError: there are not as many targets as inputs, or they are not numbers.
    """
    inputs = torch.from_numpy(np.ascontiguousarray(_floats(arrays.read(names[0]))))
    targets = _targets(arrays, names[1], len(inputs)) if names[1] else None
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(0))
    middle = (len(order) + 1) // 2
    halves = {"tuning": order[:middle][:samples], "held_out": order[middle:][:samples]}
    data = {
        name: Split(inputs[chosen], None if targets is None else targets[chosen])
        for name, chosen in halves.items()
        if len(chosen)
    }
    return Task(
        f"npz:{arrays.path.name}",
        tuple(inputs.shape[1:]),
        normalisation=rule,
        note=HALVES,
        source=str(arrays.path),
        fingerprint=fingerprint([*arrays.facts, reader.shape, rule, samples]),
        how=(_told(targets, reader),),
        data=data,
        metric=_metric(targets, reader),
    )


def _floats(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32) if values.dtype.kind == "f" else values


def _targets(arrays: Arrays, name: str, samples: int) -> Tensor:
    shape, dtype = arrays.form(name)
    if not shape or shape[0] != samples or dtype.kind not in "iufb":
        raise LoadError(
            f"{name!r} in {arrays.path.name!r} must hold numbers, one row for each of {samples:,} inputs, "
            f"got {dtype} of shape {shape}."
        )
    values = torch.from_numpy(_floats(arrays.read(name)).copy())
    return values if values.is_floating_point() else values.long()


def _metric(targets: Tensor | None, reader: Reader) -> tuple[str, ...]:
    if targets is None:
        of_classes = ("same_answer", "kl_divergence")
        return of_classes if reader.classes else ("cosine_similarity", "relative_error")
    if is_yes_or_no(targets, reader):
        return ("binary_accuracy",)
    return ("mean_iou",) if _are_masks(targets) else ("mae", "r2")


def is_yes_or_no(targets: Tensor, reader: Reader) -> bool:
    """Whether a model with one output answers questions: all targets are 0 or 1, and there are both."""
    return reader.answer == "one number" and set(targets.unique().tolist()) == {0, 1}


def _told(targets: Tensor | None, reader: Reader) -> str:
    if targets is None:
        return "There are no targets, so agreement with the dense model is measured."
    if is_yes_or_no(targets, reader):
        return YES_OR_NO
    what = "masks" if _are_masks(targets) else "numbers to predict"
    return f"Targets are {what}; choose another metric with --metric."


def _are_masks(targets: Tensor) -> bool:
    return not targets.is_floating_point() and targets.dim() > 2
