"""What is known about a model after its first samples: outputs, losses, and rows of the task's metrics."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from ..values.metric import Metric
from ..values.report import Drop, Measurement
from .bootstrap import interval, paired
from .resamples import FirstSums, Resampled
from .statistics import paired_drop, wilson

ACCURACY = "accuracy"


@dataclass(frozen=True, eq=False)
class Tally:
    """The results for the first `samples` samples.

    Args:
        correct: (samples,) bool, in the split's order; empty if outputs are not classes.
        predictions: (samples,) int64; empty as well.
        losses: (samples,) float32 cross-entropy, or the mean loss of each one's batch; empty if the task has
            none.
        rows: name of a metric -> (samples, k) statistics; accuracy has none besides `correct`.
        metrics: of the task, the first decides; none: accuracy.
        units: (samples,) int64: samples with the same number are one to an interval (see `Split`); empty if
            each is on its own.
        known: sums of the first rows of the deciding metric.
    """

    correct: Tensor
    predictions: Tensor
    losses: Tensor
    rows: Mapping[str, Tensor] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    units: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    known: FirstSums | None = None

    def __len__(self) -> int:
        return len(self.correct) or max(map(len, self.rows.values()), default=0)

    def cpu(self) -> "Tally":
        return replace(self._each(Tensor.cpu), known=self.known)

    def first(self, samples: int) -> "Tally":
        return self if samples >= len(self) else self.part(0, samples)

    def part(self, start: int, stop: int) -> "Tally":
        """Return the part with samples `start` to `stop`."""
        return self._each(lambda tensor: tensor[start:stop])

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Tally":
        correct, predictions, losses = map(change, (self.correct, self.predictions, self.losses))
        rows = {name: change(found) for name, found in self.rows.items()}
        return Tally(correct, predictions, losses, rows, self.metrics, change(self.units))

    def pooled(self, name: str) -> Tensor:
        """Return the rows of a metric, (units, k): those of one unit are added up."""
        rows = self.rows[name]
        if not len(self.units):
            return rows
        numbers, place = self.units.unique(return_inverse=True)
        return torch.zeros(len(numbers), rows.shape[1], dtype=rows.dtype).index_add_(0, place, rows)

    @cached_property
    def resampled(self) -> Resampled:
        """Return the rows of the deciding metric, pooled."""
        return Resampled(self.pooled(self.metrics[0].name), self.known)

    @property
    def begun(self) -> FirstSums | None:
        """Return the sums that those of more samples go on from; None where samples are pooled."""
        if len(self.units):
            return None
        return self.resampled.begun if "resampled" in vars(self) else self.known

    @property
    def is_accuracy(self) -> bool:
        """Whether what decides is accuracy."""
        return not self.metrics or (self.metrics[0].name == ACCURACY and ACCURACY not in self.rows)

    @property
    def mean_loss(self) -> float | None:
        """Return the mean over all samples; None if the task has no loss, or that of a sample is no number
        (see `missing_losses`).
        """
        mean = float(self.losses.double().mean()) if len(self.losses) else math.nan
        return mean if math.isfinite(mean) else None

    def measurement(self) -> Measurement:
        """Return the deciding metric with its 95 % interval (Wilson's for accuracy), mean loss, and the other
        metrics.
        """
        return self._measurement

    @cached_property
    def _measurement(self) -> Measurement:
        samples = len(self)
        others = {metric.name: self._other(metric) for metric in self.metrics[1:]}
        if self.is_accuracy:
            correct = int(self.correct.sum())
            low, high = wilson(correct, samples)
            measurement = Measurement(correct / samples, low, high, self.mean_loss, samples, correct)
        else:
            metric = self.metrics[0]
            value, low, high = interval(metric, self.resampled)
            measurement = Measurement(
                loss=self.mean_loss, samples=samples, metric=metric.name, unit=metric.unit
            )
            measurement = replace(measurement, value=value, low=low, high=high)
        return replace(measurement, others=others) if others else measurement

    def _other(self, metric: Metric) -> dict[str, object]:
        if metric.name not in self.rows:  # accuracy, if outputs are classes
            correct = int(self.correct.sum())
            low, high = wilson(correct, len(self))
            return {"value": correct / len(self), "low": low, "high": high, "unit": "%"}
        value, low, high = interval(metric, self.pooled(metric.name))
        return {"value": value, "low": low, "high": high, "unit": metric.unit}


EMPTY = Tally(torch.zeros(0, dtype=torch.bool), torch.zeros(0, dtype=torch.long), torch.zeros(0))


def joined(parts: Sequence[Tally]) -> Tally:
    """Join the tallies of successive batches; if they are on several devices, on the last one's."""
    if len(parts) == 1:
        return parts[0]
    last = parts[-1]

    def together(tensors: Sequence[Tensor]) -> Tensor:
        if not any(map(len, tensors)):  # what this task does not have
            return tensors[-1]
        device = tensors[-1].device
        return torch.cat([t if t.device == device else t.to(device) for t in tensors])

    names = "correct", "predictions", "losses"
    correct, predictions, losses = (together([getattr(p, name) for p in parts]) for name in names)
    rows = {name: together([p.rows[name] for p in parts]) for name in last.rows}
    units = together([p.units for p in parts])
    return Tally(correct, predictions, losses, rows, last.metrics, units, parts[0].begun)


def drop_between(base: Tally, pruned: Tally, level: float = 0.95) -> Drop:
    """Return the paired comparison on the same samples, by the deciding metric."""
    if base.is_accuracy:
        b = int((base.correct & ~pruned.correct).sum())
        c = int((~base.correct & pruned.correct).sum())
        return paired_drop(b, c, len(base), level=level)
    return paired(base.metrics[0], base.resampled, pruned.resampled, level)


def judged(logits: Tensor, targets: Tensor) -> Tally:
    """Return the results of (n, classes) logits for (n,) targets, on their device; an answer that is not a
    number is wrong.
    """
    logits = logits.float()
    predictions = logits.argmax(1)
    losses = nn.functional.cross_entropy(logits, targets, reduction="none")
    return Tally((predictions == targets) & ~losses.isnan(), predictions, losses)
