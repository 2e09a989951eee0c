"""The conditions under which a recipe is measured, and on which samples."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ..errors import ExplorerError, UnknownNameError
from ..graph.size_limits import Size, TooLarge, size_of
from ..measuring.evaluation import batch_size
from ..measuring.precision import DTYPES
from ..values.samples import Split
from ..values.subject import Subject, Task

# a forward holds about three of its largest activations at a time, and should take no more than this
ALIVE, BATCH_BYTES = 3, 2 * 1024**3


# multiply-adds of one forward, about a second: a fader's move may wait that long for the batch before it
BATCH_MACS = {"cpu": 2e10, "cuda": 1e13}
# multiply-adds of all samples of a first number, a third of that: who lets a fader go looks at the number
FIRST_MACS = {"cpu": 6e9, "cuda": 3e12}


LEAST_LOOK = 16  # with fewer samples a first number would mean nothing


@dataclass(frozen=True)
class Conditions:
    """The conditions under which a recipe is measured.

    Args:
        samples: use only the first so many of the split; None = all.
        split: "tuning", or "held_out".
        device: "cpu" or "cuda".
        latency: also measure latency, and what gradients predict for the loss, after everything else.
        level: of the last drop's interval; `openings_level(k)` at the k-th opening of held-out data.
        dtype: "float32", or "bfloat16": the format that both models compute in, for accuracy and latency.
            What that alone does to the pruned model's accuracy is measured, too. Files stay float32, and so
            do scans and lists of flips.
        repaired: of a recipe without a repair of its own also measure what least squares makes of the cut.
        first_look: the number of samples of the first look; None = those of one batch. With fewer, more looks
            follow, each with a stricter level.
    Raises:
        UnknownNameError: there is no such dtype.
    """

    samples: int | None = None
    split: str = "tuning"
    device: str = "cpu"
    latency: bool = True
    level: float = 0.95
    dtype: str = "float32"
    repaired: bool = False
    first_look: int | None = None

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise UnknownNameError("dtype", self.dtype, DTYPES)


def fitting_batch(subject: Subject, device: str) -> int:
    """Return the number of samples of one forward: what suits the device, fewer for a model that would fill
    the memory or take long for them.
    """
    most, size = batch_size(device), size_of(subject.model, subject.example)
    if not isinstance(size, Size):
        return most
    room = BATCH_BYTES // (ALIVE * size.activation_bytes) if size.activation_bytes else most
    return max(1, min(room, _within(BATCH_MACS, size, device, most)))


def _within(macs: Mapping[str, float], size: Size | TooLarge, device: str, most: int) -> int:
    """Return how many samples, `most` of them at most, take so many multiply-adds as far as is known."""
    if not isinstance(size, Size) or not size.macs:
        return most
    return min(most, int(macs.get(torch.device(device).type, macs["cpu"]) / size.macs))


def first_look(subject: Subject, device: str, waiting: int = 1) -> int:
    """Return the number of samples until the first number: those of one batch, or fewer of a large model,
    shared by those who wait.

    Args:
        waiting: how many wait for a first number on this device, at least 1.
    """
    batch, size = fitting_batch(subject, device), size_of(subject.model, subject.example)
    return max(LEAST_LOOK, _within(FIRST_MACS, size, device, batch) // waiting)


def class_task(subject: Subject, what: str) -> Task:
    """Return the task of a subject whose outputs are right or wrong classes.

    Args:
        what: the feature that needs them, such as "lesson".
    Raises:
        ExplorerError: there is no data, or its task has another kind of output.
    """
    if subject.task is None:
        raise ExplorerError(f"{subject.name!r} came without data; add some with --data.")
    if not subject.task.tells_classes:
        first = subject.task.metrics[0]
        name = first if isinstance(first, str) else first.name
        raise ExplorerError(
            f"{subject.name!r} allows no {what}: that needs one class per sample as output, and its task is "
            f"measured by {name}."
        )
    return subject.task


def split_for(subject: Subject, conditions: Conditions) -> Split:
    """Return the samples that these conditions ask for.

    Raises:
        ExplorerError: the data has no such split, or the number of samples is not allowed.
    """
    assert subject.task is not None
    split = subject.task.split(conditions.split)  # type: ignore[arg-type]
    if split is None or not len(split):
        raise ExplorerError(
            f"Data set {subject.task.name!r} has no {conditions.split.replace('_', '-')} split; use tuning."
        )
    if conditions.samples is not None and conditions.samples < 1:
        raise ExplorerError(
            f"The number of samples must be from 1 to {len(split)}, got {conditions.samples}."
        )
    return split if conditions.samples is None else split.first(conditions.samples)
