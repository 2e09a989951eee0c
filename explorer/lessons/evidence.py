"""What an experiment has measured: which samples each pruned model got right, what it costs, how long it
takes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..values.recipe import Recipe
from ..values.report import Measurement
from .values import DENSE, Case

Timed = tuple[str, float, int]  # arm ("dense" at 0), x, batch


@dataclass(frozen=True, eq=False)
class ArmPoint:
    """One arm at one x.

    Args:
        correct: (samples,) bool; predictions: (samples,) int64; in the order of the split. Of a language
            model, correct is (documents,) float64, whose mean is the share of right tokens, each as large as
            the right tokens of a document; there are no predictions.
        measured: share of right answers, parameters, MACs and bytes of the model.
        spread: for an arm with a penalty, before training and after each epoch until the cut: how many
            weights are in each bin of sizes (EDGES).
    """

    arm: str
    x: float
    recipe: Recipe
    measured: Measurement
    correct: Tensor
    predictions: Tensor
    spread: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything that an experiment has measured so far.

    Args:
        dense: arm -> its dense model on the same samples.
        points: (arm, x) -> what was measured.
        missing: (arm, x) -> why there is no such model, such as no width that is as fast.
        times: (arm, x, batch) -> milliseconds per batch; times of one batch size at equal positions were
            measured one right after the other.
        samples: number of samples in the whole split.
        expected: how many points there will be.
        environment: where it was measured.
        finished: whether everything is measured.
    """

    model: str
    dense: Mapping[str, ArmPoint] = field(default_factory=dict)
    points: Mapping[tuple[str, float], ArmPoint] = field(default_factory=dict)
    times: Mapping[Timed, tuple[float, ...]] = field(default_factory=dict)
    samples: int = 0
    expected: int = 0
    environment: Mapping[str, Any] = field(default_factory=dict)
    finished: bool = False
    missing: Mapping[tuple[str, float], str] = field(default_factory=dict)

    def of(self, arm: str) -> list[ArmPoint]:
        """Return the points of an arm, x rising."""
        return sorted(
            (point for (name, _), point in self.points.items() if name == arm), key=lambda point: point.x
        )

    def at(self, arm: str, x: float) -> ArmPoint | None:
        return self.points.get((arm, x))

    def why_not(self, case: Case, x: float) -> str:
        """Return why the models of a case cannot be compared at x; "" if they can."""
        named = (case.arm, case.against, *case.sum_of)
        return next((self.missing[arm, x] for arm in named if (arm, x) in self.missing), "")

    def other(self, case: Case, x: float) -> ArmPoint | None:
        """Return what a case compares with at x."""
        return self.dense.get(case.arm) if case.against == DENSE else self.points.get((case.against, x))
