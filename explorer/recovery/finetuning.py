"""Trains a pruned model step by step: everything removed stays removed, and any step can be repeated exactly.

Order, augmentation and dropout of a step depend only on the seed and on the step's number, so an interrupted
training continues as if it had not been.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ..metrics.losses import loss_of, right_share
from ..training.augmentation import augmented
from ..training.steps import TrainingSettings, make_optimiser, training_split
from ..values.profile import Layer
from ..values.samples import Split, moved
from ..values.subject import Task
from .distillation import Objective
from .regularisation import shrink_all
from .schedules import learning_rate
from .students import Student
from .training_plan import RecoveryPlan

CLASSES = Objective()  # the true classes alone


@dataclass(frozen=True)
class Course:
    """The part of a learning-rate schedule that a training runs, and a penalty on the weights.

    Args:
        schedule: a name of LEARNING_RATES.
        first_epoch, total_epochs: where in the schedule it begins, and how long the whole schedule is.
        penalty: a name of PENALTIES, or None.
    """

    schedule: str
    first_epoch: int
    total_epochs: int
    penalty: str | None = None


@dataclass(frozen=True)
class Means:
    """What a training uses.

    Args:
        objective: its loss.
        layers: whose weights a penalty acts on.
        device: where it runs.
    """

    objective: Objective = CLASSES
    layers: Sequence[Layer] = ()
    device: str = "cpu"


USUAL = Means()


@dataclass(frozen=True)
class BatchResult:
    """The result of one batch, before the step that it causes; `correct` is None if answers are no
    classes.
    """

    loss: float
    correct: int | None
    samples: int
    learning_rate: float


class Training:
    """One training of one student.

    Args:
        place: what distinguishes this training from others of the same plan, such as (seed, phase): the
            source of all its randomness.
        means: the objective, the penalised layers, and the device.
    Raises:
        ExplorerError: there is no training split, or it is smaller than a batch.
    """

    def __init__(
        self,
        student: Student,
        task: Task,
        plan: RecoveryPlan,
        course: Course,
        place: Sequence[int],
        means: Means = USUAL,
    ):
        self.student, self._task, self._plan, self._course, self._place = (
            student,
            task,
            plan,
            course,
            tuple(place),
        )
        self._layers, self._device = means.layers, means.device
        self._objective = replace(means.objective, loss=loss_of(task), read=task.scores_of)
        self._split = training_split(task, plan.batch_size)
        self.steps = len(self._split) // plan.batch_size
        settings = TrainingSettings(
            optimiser=plan.optimiser,  # type: ignore[arg-type]
            learning_rate=plan.learning_rate,
            weight_decay=plan.weight_decay,
        )
        self.optimiser = make_optimiser(student.model, settings)
        self.parts = 1  # that a batch is cut into; more after memory ran out
        self._order = lru_cache(1)(self._shuffled)

    def step(self, epoch: int, index: int) -> BatchResult:
        """Train on batch `index` (0 to steps - 1) of an epoch (0 and up)."""
        rate = self._rate(epoch, index)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        inputs, targets = self._batch(epoch, index)
        loss, correct = self._gradients(inputs, targets, _seed(*self._place, epoch, index, 2))
        self.student.hold_gradients()
        self.optimiser.step()
        if self._course.penalty:
            shrink_all(
                self.student.model, self._layers, self._course.penalty, rate * self._plan.penalty_strength
            )
        self.student.hold()
        return BatchResult(loss, correct, len(inputs), rate)

    def _rate(self, epoch: int, index: int) -> float:
        done = (self._course.first_epoch + epoch) * self.steps + index
        return learning_rate(
            self._course.schedule, done, self._course.total_epochs * self.steps, self._plan.learning_rate
        )

    def _shuffled(self, epoch: int) -> Tensor:
        return torch.randperm(
            len(self._split), generator=torch.Generator().manual_seed(_seed(*self._place, epoch))
        )

    def _batch(self, epoch: int, index: int) -> tuple[Tensor, Any]:
        """Return (n, *shape) inputs as the model reads them, augmented, and targets, on the device."""
        start = index * self._plan.batch_size
        chosen = self._order(epoch)[start : start + self._plan.batch_size]
        generator = torch.Generator().manual_seed(_seed(*self._place, epoch, index, 1))
        raw, targets = self._split.chosen(chosen)
        inputs = self._task.normalisation(raw)
        inputs, targets = augmented(self._plan.augmentation, inputs, targets, generator)
        inputs = inputs.contiguous(memory_format=torch.channels_last) if inputs.dim() == 4 else inputs
        return inputs.to(self._device), moved(targets, self._device)

    def _gradients(self, inputs: Tensor, targets: Any, seed: int) -> tuple[float, int | None]:
        """Return mean loss and right answers (None if they are no classes), with the gradient in the
        parameters. If device memory runs out, the batch is cut in two.
        """
        while True:
            try:
                return self._accumulated(inputs, targets, seed)
            except torch.OutOfMemoryError:
                self.parts *= 2
                if self.parts > len(inputs) // 2:
                    raise
                torch.cuda.empty_cache()

    def _accumulated(self, inputs: Tensor, targets: Any, seed: int) -> tuple[float, int | None]:
        model = self.student.model.train()
        self.optimiser.zero_grad()
        total, correct, shares = 0.0, 0, False
        with torch.random.fork_rng(devices=[torch.cuda.current_device()] if self._device == "cuda" else []):
            sown(seed, self._device)
            for part, aims in _chunks(inputs, targets, self.parts):
                logits = model(part)
                loss = self._objective(logits, part, aims) * (len(part) / len(inputs))
                loss.backward()
                share = right_share(logits, aims)
                total, shares = total + loss.item(), share is not None
                correct += round((share or 0.0) * len(part))
        model.eval()
        return total, correct if shares else None

    # ------------------------------------------------------------------ to go on later

    def tensors(self) -> dict[str, Tensor]:
        """Return the optimiser's state, "NUMBER.NAME" -> tensor."""
        state = self.optimiser.state_dict()["state"]
        return {
            f"{i}.{name}": value
            for i, own in state.items()
            for name, value in own.items()
            if isinstance(value, Tensor)
        }

    def resume(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore the optimiser's state from `tensors`."""
        known = self.optimiser.state_dict()
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            number, _, name = key.partition(".")
            state.setdefault(int(number), {})[name] = value
        self.optimiser.load_state_dict({**known, "state": state})


def _chunks(inputs: Tensor, targets: Any, parts: int) -> Iterator[tuple[Tensor, Any]]:
    """Return a batch in parts of nearly equal size."""
    split, size = Split(inputs, targets), -(-len(inputs) // parts)
    for start in range(0, len(inputs), size):
        yield split.inputs_at(start, start + size), split.targets_at(start, start + size)


def sown(seed: int, device: str) -> None:
    """Seed dropout's random numbers as `torch.manual_seed` does, which also records its caller for every kind
    of device.
    """
    if device == "cpu":
        torch.default_generator.manual_seed(seed)  # recording the caller took a fifth of a small model's step
    else:
        torch.manual_seed(seed)


def _seed(*place: int) -> int:
    """Return a separate seed for each place."""
    return int.from_bytes(hashlib.sha256(repr(place).encode()).digest()[:7])
