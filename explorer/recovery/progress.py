"""The state of a recovery: its place in the plan, and the means of the batches since the last point of the
loss curve.
"""

import math
from dataclasses import dataclass

from .finetuning import BatchResult
from .values import LossPoint, Recovery

POINTS = 200  # of a loss curve, however long the training is


@dataclass
class TrainingPlace:
    """Which step is next, and what an early stop has to know; plain numbers, so that they can be written as
    JSON.

    Args:
        seed, phase: numbers in the plan's seeds and its phases. epoch, step: within the phase.
        stale: epochs since the best one. best_loss: on the tuning split.
        loss, correct, samples, batches: sums since the last point of the curve.
    """

    seed: int = 0
    phase: int = 0
    epoch: int = 0
    step: int = 0
    stale: int = 0
    best_loss: float = math.inf
    loss: float = 0.0
    correct: int = 0
    samples: int = 0
    batches: int = 0

    def enter(self, phase: int) -> None:
        """Begin a new phase."""
        self.phase, self.epoch, self.step, self.stale, self.best_loss = phase, 0, 0, 0, math.inf

    def next_seed(self) -> None:
        self.enter(0)
        self.seed, self.loss, self.correct, self.samples, self.batches = self.seed + 1, 0.0, 0, 0, 0

    def counted(self, step: BatchResult, epoch: float, width: int) -> LossPoint | None:
        """Add a batch; return a point after every `width` batches."""
        self.loss, self.correct = self.loss + step.loss * step.samples, self.correct + (step.correct or 0)
        self.samples, self.batches = self.samples + step.samples, self.batches + 1
        if self.batches < width:
            return None
        right = None if step.correct is None else self.correct / self.samples
        point = LossPoint(epoch, self.loss / self.samples, right, step.learning_rate)
        self.loss, self.correct, self.samples, self.batches = 0.0, 0, 0, 0
        return point

    def judged(self, loss: float | None) -> bool:
        """Record the tuning loss of an epoch; return whether it is the best so far in this phase."""
        found = math.inf if loss is None or math.isnan(loss) else loss
        better = found < self.best_loss
        self.stale = 0 if better else self.stale + 1
        self.best_loss = min(found, self.best_loss)
        return better


def curve_width(steps: int) -> int:
    """Return the number of batches in each point of a loss curve.

    >>> curve_width(100), curve_width(1000)
    (1, 5)
    """
    return max(1, math.ceil(steps / POINTS))


def chosen_epoch(state: Recovery, seed: int, patience: int) -> int:
    """Return the epoch of this seed's last phase whose weights are kept: the last, or the best if training
    stops early.
    """
    own = [(i, point) for i, point in enumerate(state.epochs) if point.seed == seed]
    phase = own[-1][1].phase
    if not patience:
        return own[-1][0]
    return min(
        (i for i, point in own if point.phase == phase),
        key=lambda i: (_comparable(state.epochs[i].measurement.loss), i),
    )


def _comparable(loss: float | None) -> float:
    return math.inf if loss is None or math.isnan(loss) else loss
