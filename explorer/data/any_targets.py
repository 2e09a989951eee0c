"""Arrays with targets of any kind: classes, labels, numbers to predict, masks, tokens, or none at all."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import LoadError
from ..values.samples import Split, leaves_of, mapped_tree
from ..values.subject import Normalisation, Task
from .arrays import Arrays
from .ordering import stratified_order
from .pool import HALVES, fingerprint
from .reader import Reader

YES_OR_NO = "Targets are 0 and 1 and the model has one output, so they are two classes: above 0 means 1."
UNLABELLED = "There are no targets, so agreement with the dense model is measured."
ALONE = ("inputs", "x", "x_test")
WORDS = {
    "accuracy": "classes",
    "multilabel_f1": "0 or 1 for each label",
    "mean_iou": "masks",
    "perplexity": "tokens, one for each that the model reads",
    "mae": "numbers to predict",
}


def of_classes(arrays: Arrays, targets: str | None, reader: Reader) -> bool:
    """Whether targets are to be one class number a sample, as for a model that gives a row of scores."""
    if targets is None or reader.any_answer:
        return False
    return arrays.form(targets)[0][1:] != (reader.classes,)  # as many numbers to predict, or labels


def other_task(
    arrays: Arrays, inputs: Any, target: str | None, reader: Reader, rule: Normalisation, samples: int
) -> Task:
    """Inputs with any targets, or none; halved in a seeded order.

    One class number a sample is measured by accuracy, 0 and 1 for each of several scores by F1 of the labels,
    whole numbers of more than one dimension by mean IoU as masks, or by perplexity where they fit the tokens
    that the model reads; 0 and 1 for a model with one output are two classes, others numbers to predict (mean
    absolute error). Without targets agreement with the dense model is measured.

    Args:
        inputs: a tensor, or a dict of several, with a row a sample.
        target: name of the array.
    Raises:
        LoadError: there are not as many targets as inputs, or they are not numbers.
    """
    rows = len(leaves_of(inputs)[0])
    if not rows:
        raise LoadError(f"{arrays.path.name!r} has no samples.")
    targets = _targets(arrays, target, rows) if target else None
    metric = _metric(targets, inputs, reader)
    if metric == ("accuracy",):
        assert targets is not None
        _check_classes(arrays, targets, reader)
        order = stratified_order(targets, seed=0)
    else:
        order = torch.randperm(rows, generator=torch.Generator().manual_seed(0))
    middle = (len(order) + 1) // 2
    halves = {"tuning": order[:middle][:samples], "held_out": order[middle:][:samples]}

    def part(numbers: Tensor) -> Split:
        return Split(
            mapped_tree(lambda leaf: leaf[numbers], inputs), None if targets is None else targets[numbers]
        )

    return Task(
        f"{arrays.kind}:{arrays.path.name}",
        tuple(inputs.shape[1:]) if isinstance(inputs, Tensor) else (),
        normalisation=rule,
        note=HALVES,
        source=str(arrays.path),
        fingerprint=fingerprint([*arrays.facts, reader.shape, rule, samples]),
        how=(_told(metric, targets),),
        data={name: part(numbers) for name, numbers in halves.items() if len(numbers)},
        metric=metric,
    )


def _targets(arrays: Arrays, name: str, samples: int) -> Tensor:
    shape, dtype = arrays.form(name)
    if not shape or shape[0] != samples or dtype.kind not in "iufb":
        raise LoadError(
            f"{name!r} in {arrays.path.name!r} must hold numbers, one row for each of {samples:,} inputs, "
            f"got {dtype} of shape {shape}."
        )
    values = arrays.read(name)
    if dtype.kind != "f":
        whole = np.array(values, dtype=np.int64, order="C")
        if not np.array_equal(whole, values):
            raise LoadError(
                f"{name!r} in {arrays.path.name!r} holds whole numbers of 2^63 or more; scale them down."
            )
        return torch.from_numpy(whole)
    with np.errstate(over="ignore"):  # what does not fit is said below
        numbers = torch.from_numpy(np.array(values, dtype=np.float32, order="C"))
    if not bool(torch.isfinite(numbers).all()):
        raise LoadError(
            f"{name!r} in {arrays.path.name!r} holds NaN or infinite values, or larger ones than 32-bit "
            "floats; clean the data first."
        )
    return numbers


def _check_classes(arrays: Arrays, targets: Tensor, reader: Reader) -> None:
    low, high = int(targets.min()), int(targets.max())
    if low < 0 or (reader.classes is not None and high >= reader.classes):
        raise LoadError(
            f"{arrays.path.name!r} has targets from {low} to {high}, but the model knows {reader.classes} "
            "classes, numbered from 0."
        )


def _metric(targets: Tensor | None, inputs: Any, reader: Reader) -> tuple[str, ...]:
    if targets is None:
        return metrics_without_targets(reader)
    if is_yes_or_no(targets, reader):
        return ("binary_accuracy",)
    if targets.is_floating_point():
        return ("mae", "r2")
    if reader.classes and targets.dim() == 1:
        return ("accuracy",)
    if reader.classes and targets.shape[1:] == (reader.classes,) and _is_of_0_and_1(targets):
        return ("multilabel_f1",)
    if targets.dim() == 2 and reader.whole and isinstance(inputs, Tensor) and targets.shape == inputs.shape:
        return ("perplexity", "next_token_accuracy")
    return ("mean_iou",) if targets.dim() > 2 else ("mae", "r2")


def metrics_without_targets(reader: Reader) -> tuple[str, ...]:
    """Return what agreement with the dense model is measured by: its answers, or the distance of outputs."""
    return ("same_answer", "kl_divergence") if reader.classes else ("cosine_similarity", "relative_error")


def _is_of_0_and_1(targets: Tensor) -> bool:
    return set(targets.unique().tolist()) <= {0, 1}


def is_yes_or_no(targets: Tensor, reader: Reader) -> bool:
    """Whether a model with one output answers questions: all targets are 0 or 1, and there are both."""
    return reader.answer == "one number" and set(targets.unique().tolist()) == {0, 1}


def _told(metric: tuple[str, ...], targets: Tensor | None) -> str:
    if targets is None:
        return UNLABELLED
    if metric == ("binary_accuracy",):
        return YES_OR_NO
    return f"Targets are {WORDS[metric[0]]}; choose another metric with --metric."
