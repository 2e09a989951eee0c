"""Judges outputs against targets: rows of statistics of the metrics that a task asks for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ExplorerError
from ..machine.foreign_code import description
from ..metrics.losses import mean_of
from ..metrics.shared import one_batch
from ..registry import METRICS
from ..values.metric import Metric
from ..values.samples import leaves_of
from ..values.subject import Task
from .tally import Tally, judged

SCORE = "score"
NO_CLASSES = torch.zeros(0, dtype=torch.bool)


def _given(outputs: Any, targets: Any) -> Tensor:
    raise ExplorerError("A score of your own is computed by scores(model, batch) of the task.")


OWN_SCORE = Metric.mean(SCORE, _given)


def metrics_of(task: Task) -> tuple[Metric, ...]:
    """Return the metrics that a task asks for; the first decides.

    Raises:
        UnknownNameError: there is no metric of that name.
    """
    if task.scores is not None:
        return (OWN_SCORE,)
    return tuple(METRICS[found]() if isinstance(found, str) else found for found in task.metrics)


def names_of(task: Task) -> tuple[str, ...]:
    """Return the names of the metrics that a task asks for."""
    return tuple(metric.name for metric in metrics_of(task))


@dataclass(frozen=True, eq=False)
class Judge:
    """How outputs are judged.

    Args:
        metrics: the first decides.
        loss: (outputs, targets) -> mean loss; None if the task has none.
        answer: picks what is judged from the model's outputs.
        scores: see Task.
        scored: turns probabilities into scores, for what reads these.
        own_loss: the loss is the task's own, not the usual one of its metric; it reads the model's outputs as
            they are.
    """

    metrics: tuple[Metric, ...]
    loss: Callable[[Any, Any], Tensor] | None = None
    answer: Callable[[Any], Any] | None = None
    scores: Callable[[nn.Module, tuple[Any, Any]], Tensor] | None = None
    scored: Callable[[Any], Any] | None = None
    own_loss: bool = False

    @property
    def needs_dense(self) -> bool:
        """Whether targets are the dense model's outputs."""
        return any(metric.needs == "dense" for metric in self.metrics)

    def picked(self, outputs: Any) -> Any:
        """Return the part of a model's outputs that is judged.

        Raises:
            ExplorerError: the user's own function fails.
        """
        if self.answer is None:
            return outputs
        try:
            return self.answer(outputs)
        except Exception as error:  # the border of the user's code
            raise ExplorerError(f"The task's answer(outputs) fails ({description(error)}).") from error

    def __call__(self, outputs: Any, targets: Any) -> Tally:
        """Judge the outputs of one batch.

        Args:
            targets: as they are stored; for a judge that `needs_dense`, a pair of these and the dense model's
                outputs.
        Raises:
            ExplorerError: a metric cannot read them, fails, or gives rows of a wrong shape or NaN.
        """
        with one_batch():
            return self._judged(outputs, targets)

    def _judged(self, outputs: Any, targets: Any) -> Tally:
        whole, outputs = outputs, self.picked(outputs)
        stored, dense = targets if self.needs_dense else (targets, None)
        classes = self._classes(self._scores(outputs), stored)
        rows = {
            metric.name: self._rows(metric, outputs, dense if metric.needs == "dense" else stored)
            for metric in self.metrics
            if classes is None or metric.name != "accuracy"
        }
        if classes is None:
            samples = len(next(iter(rows.values())))
            read = self._scores(outputs) if self.metrics[0].of_scores else outputs
            losses = self._mean_loss(whole if self.own_loss else read, stored, samples)
            return Tally(NO_CLASSES, NO_CLASSES.long(), losses, rows, self.metrics)
        losses = self._mean_loss(whole, stored, len(classes)) if self.own_loss else classes.losses
        return Tally(classes.correct, classes.predictions, losses, rows, self.metrics)

    def _scores(self, outputs: Any) -> Any:
        return outputs if self.scored is None else self.scored(outputs)

    def _rows(self, metric: Metric, outputs: Any, targets: Any) -> Tensor:
        if metric.of_scores:
            targets = self._scores(targets) if metric.needs == "dense" else targets
            return _checked(metric, self._scores(outputs), targets)
        return _checked(metric, outputs, targets)

    def of_scores(self, model: nn.Module, inputs: Any, targets: Any) -> Tally:
        """Return the result of the task's own evaluation.

        Raises:
            ExplorerError: it fails, or returns anything but one finite number per sample.
        """
        assert self.scores is not None
        samples = len(leaves_of(inputs)[0])
        try:
            scores = self.scores(model, (inputs, targets))
        except Exception as error:  # the border of the user's code
            raise ExplorerError(f"The task's scores(model, batch) fails ({description(error)}).") from error
        if not isinstance(scores, Tensor) or scores.shape != (samples,):
            got = f"shape {tuple(scores.shape)}" if isinstance(scores, Tensor) else type(scores).__name__
            raise ExplorerError(
                f"The task's scores(model, batch) must give {samples} numbers, one per sample, got {got}."
            )
        ones = torch.ones(samples, dtype=torch.float64, device=scores.device)
        rows = _finite(SCORE, torch.stack([scores.detach().double(), ones], 1))
        return Tally(NO_CLASSES, NO_CLASSES.long(), torch.zeros(0), {SCORE: rows}, self.metrics)

    def _classes(self, outputs: Any, targets: Any) -> Tally | None:
        """Return right and wrong answers, if outputs are one class per sample."""
        if (
            not isinstance(outputs, Tensor)
            or not isinstance(targets, Tensor)
            or outputs.dim() != 2
            or targets.dim() != 1
            or targets.is_floating_point()
        ):
            return None
        if outputs.shape[1] < 2 or len(targets) != len(outputs):
            return None
        if not 0 <= int(targets.min()) <= int(targets.max()) < outputs.shape[1]:
            return None
        return judged(outputs, targets)

    def _mean_loss(self, outputs: Any, targets: Any, samples: int) -> Tensor:
        """Return (samples,), each the mean of its batch, so that their mean is that of all."""
        if self.loss is None or targets is None:
            return torch.zeros(0)
        return mean_of(self.loss, outputs, targets).detach().float().cpu().expand(samples)


def _checked(metric: Metric, outputs: Any, targets: Any) -> Tensor:
    try:
        rows = metric.statistics(outputs, targets)
    except ExplorerError:
        raise
    except Exception as error:  # the border of the user's code
        raise ExplorerError(f"Metric {metric.name!r} fails ({description(error)}).") from error
    leaves = leaves_of(targets) or leaves_of(outputs)
    samples = len(leaves[0]) if leaves and hasattr(leaves[0], "__len__") else -1
    if not isinstance(rows, Tensor) or rows.dim() != 2 or (len(rows) != samples and samples >= 0):
        got = f"shape {tuple(rows.shape)}" if isinstance(rows, Tensor) else type(rows).__name__
        raise ExplorerError(
            f"Metric {metric.name!r} must give a row of statistics for each of {samples} samples, got {got}."
        )
    return _finite(metric.name, rows.detach().double())


def _finite(name: str, rows: Tensor) -> Tensor:
    if not bool(torch.isfinite(rows).all()):
        place = int((~torch.isfinite(rows)).any(1).nonzero()[0])
        raise ExplorerError(
            f"Metric {name!r} gives no number (NaN or infinite) for sample {place} of a batch; the model's "
            "output or the metric itself is not finite there."
        )
    return rows


def judge_for(task: Task) -> Judge | None:
    """Return how a task's outputs are judged; None if they are class scores and only accuracy is
    requested.
    """
    plain = task.loss is None and task.answer is None and task.scored is None
    if plain and task.tells_classes and task.metrics == ("accuracy",):
        return None
    metrics = metrics_of(task)
    loss, is_own = task.loss or metrics[0].loss, task.loss is not None
    return Judge(metrics, loss, task.answer, task.scores, task.scored, is_own)
