"""Trains the sample models step by step, and writes the cards that say how."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import OneCycleLR

from ..errors import ExplorerError
from ..metrics.losses import Loss, loss_of, right_share
from ..registry import Plugin
from ..values.samples import Split
from ..values.subject import Task
from .augmentation import augmented


@dataclass(frozen=True)
class TrainingSettings:
    """How a model is trained; the defaults suit small convolutional models.

    Args:
        epochs: passes over the training split.
        batch_size: samples per step; a smaller last batch is left out.
        optimiser: "sgd" (momentum 0.9) or "adamw".
        learning_rate: the highest of the one-cycle schedule.
        weight_decay: on parameters of two or more dimensions; norms and biases have none.
        label_smoothing: share of the target spread over all classes.
        augmentation: a name of AUGMENTATIONS.
        seed: of the initial weights, the order and the augmentation.
    """

    epochs: int = 10
    batch_size: int = 128
    optimiser: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = 0.1
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    augmentation: str = "none"
    seed: int = 0

    @classmethod
    def of(cls, sample: Plugin, seed: int = 0) -> "TrainingSettings":
        """Return the settings that a sample model was registered with."""
        names = {f.name for f in fields(cls)}
        return cls(**{name: value for name, value in sample.traits.items() if name in names} | {"seed": seed})


@dataclass(frozen=True)
class TrainingStep:
    """The result of one training step.

    Args:
        step, steps: from 1 to steps.
        epoch, epochs: from 1 to epochs.
        loss: mean over the epoch's samples so far.
        accuracy: the same, on augmented training samples; None if outputs are not classes.
        seconds: since the start.
    """

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: float
    accuracy: float | None
    seconds: float


def make_optimiser(model: nn.Module, settings: TrainingSettings) -> Optimizer:
    """Return SGD with Nesterov momentum 0.9, or AdamW; norms and biases have no weight decay."""
    decayed = [p for p in model.parameters() if p.dim() > 1]
    free = [p for p in model.parameters() if p.dim() <= 1]
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    if settings.optimiser == "adamw":
        return AdamW(groups, lr=settings.learning_rate)
    return SGD(groups, lr=settings.learning_rate, momentum=0.9, nesterov=True)


def _batches(split: Split, size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Any]]:
    order = torch.randperm(len(split), generator=generator)
    for start in range(0, len(split) - size + 1, size):
        chosen = order[start : start + size]
        yield split.chosen(chosen)


def _update(
    model: nn.Module, optimiser: Optimizer, batch: tuple[Tensor, Any], loss_of_batch: Loss
) -> tuple[float, float | None]:
    """Take one step of the optimiser; return the mean loss and the share of right answers before it."""
    inputs, targets = batch
    outputs = model(inputs)
    loss = loss_of_batch(outputs, targets)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item(), right_share(outputs, targets)


def _prepared(
    batch: tuple[Tensor, Any], task: Task, settings: TrainingSettings, generator: torch.Generator
) -> tuple[Tensor, Any]:
    raw, targets = batch
    inputs, targets = augmented(settings.augmentation, task.normalisation(raw), targets, generator)
    if inputs.dim() == 4:
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    return inputs, targets


def training_split(task: Task, batch_size: int) -> Split:
    """Return the training split.

    Raises:
        ExplorerError: there is none, or it is smaller than a batch.
    """
    split = task.split("training")
    if split is None or len(split) < batch_size:
        raise ExplorerError(
            f"Data set {task.name!r} has no training split of at least one batch ({batch_size} samples)."
        )
    return split


def train(model: nn.Module, task: Task, settings: TrainingSettings) -> Iterator[TrainingStep]:
    """Train a fresh model in place, one yield per step; it ends in eval mode.

    The only verb that changes the model it is given, so pass one that nothing else uses. Stopping early
    leaves it half trained.

    Raises:
        ExplorerError: the task has no training split, or it is smaller than a batch.
    """
    split, optimiser = training_split(task, settings.batch_size), make_optimiser(model.train(), settings)
    smoothed = partial(functional.cross_entropy, label_smoothing=settings.label_smoothing)
    lower = smoothed if settings.label_smoothing else loss_of(task)
    steps = settings.epochs * (len(split) // settings.batch_size)
    schedule = OneCycleLR(optimiser, settings.learning_rate, total_steps=steps, pct_start=0.25)
    generator = torch.Generator().manual_seed(settings.seed)
    started, step = time.perf_counter(), 0
    for epoch in range(1, settings.epochs + 1):
        loss_sum, correct, seen = 0.0, 0.0, 0
        accuracy: float | None = None
        for raw, targets in _batches(split, settings.batch_size, generator):
            batch = _prepared((raw, targets), task, settings, generator)
            loss, right = _update(model, optimiser, batch, lower)
            schedule.step()
            step, seen = step + 1, seen + len(raw)
            loss_sum += loss * len(raw)
            if right is not None:
                correct += right * len(raw)
                accuracy = correct / seen
            seconds = time.perf_counter() - started
            yield TrainingStep(step, steps, epoch, settings.epochs, loss_sum / seen, accuracy, seconds)
    model.eval()
