"""A recipe at several strengths -> one-shot, recalibrated and recovered models, all trained alike.

Every point is a recovery of its own, kept on disk like any other, so an interrupted curve continues where it
was.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

from ..engine.candidate import prepare
from ..engine.conditions import Conditions
from ..engine.point_order import spread_order
from ..errors import RecipeError
from ..graph.analysed import Analysed
from ..values.progress import Step, Work, reached
from ..values.recipe import Recipe
from ..values.report import Measurement
from ..values.subject import Subject
from .controls import spread_of
from .cost import Cost, counted
from .recover import recover
from .recovery_run import TRAINING
from .training_plan import RecoveryPlan
from .values import MeasuredArm, Recovery

STEPS = {3: (0.5, 0.75, 1.0), 4: (0.4, 0.6, 0.8, 1.0), 5: (0.2, 0.4, 0.6, 0.8, 1.0)}
MOST_POINTS = 9
FINE = 1_000  # steps in the progress of one point


@dataclass(frozen=True)
class CurvePoint:
    """One strength of the recipe.

    Args:
        strength: factor of every ratio, in (0, 1].
        macs: multiply-adds for one sample of the pruned model.
    """

    strength: float
    macs: int | None
    recovery: Recovery

    def lines(self) -> dict[str, Measurement]:
        """Return what was measured for each line by name; several seeds have their mean, with its
        spread.
        """
        found = self.recovery
        arms: dict[str, tuple[MeasuredArm, ...]] = {"one-shot": (found.one_shot,)}
        arms |= {"recalibrated": (found.recalibrated,)} if found.recalibrated else {}
        arms |= {"recovered": found.recovered} if found.plan.trained_epochs and found.recovered else {}
        return {name: replace(_together(own), macs=self.macs) for name, own in arms.items()}

    def to_json(self) -> dict[str, Any]:
        return {"strength": self.strength, "macs": self.macs, "recovery": self.recovery.to_json()}


def _together(arms: Sequence[MeasuredArm]) -> Measurement:
    first = arms[0].measurement
    if len(arms) == 1:
        return first
    over = spread_of([arm.measurement for arm in arms])
    losses = [arm.measurement.loss for arm in arms if arm.measurement.loss is not None]
    loss = mean(losses) if losses else None
    whole = replace(first, value=over.mean, low=over.low, high=over.high, loss=loss)
    if first.accuracy is None:
        return whole
    return replace(whole, accuracy=over.mean, accuracy_low=over.low, accuracy_high=over.high)


@dataclass(frozen=True)
class RecoveryCurve:
    """The points that are done, those that remove least first.

    Args:
        planned: how many there will be.
        macs: of the dense model.
    """

    planned: int
    macs: int | None = None
    points: tuple[CurvePoint, ...] = ()

    @property
    def baseline(self) -> Measurement | None:
        """Return the dense model, on the same samples."""
        return replace(self.points[0].recovery.baseline, macs=self.macs) if self.points else None

    def to_json(self) -> dict[str, Any]:
        return {
            "planned": self.planned,
            "macs": self.macs,
            "points": [point.to_json() for point in self.points],
        }


def curve_cost(subject: Subject, plan: RecoveryPlan, points: int) -> Cost:
    """Return the cost of all points together, as far as it is known without measuring."""
    one = counted(subject, plan)
    return Cost(points * one.epochs, points * one.samples)


def checked_strengths(given: Sequence[float]) -> tuple[float, ...]:
    """Return strengths in rising order.

    Raises:
        RecipeError: none, too many, or one outside (0, 1].
    """
    strengths = tuple(sorted(set(given)))
    if not 1 <= len(strengths) <= MOST_POINTS or not all(0 < strength <= 1 for strength in strengths):
        raise RecipeError(
            f"A curve needs 1 to {MOST_POINTS} strengths above 0 and at most 1, such as 0.5,0.75,1, got "
            f"{given!r}."
        )
    return strengths


def recovery_curve(
    model: Analysed,
    recipe: Recipe,
    plan: RecoveryPlan,
    strengths: Sequence[float],
    conditions: Conditions,
    *,
    root: Path | None = None,
) -> Work[RecoveryCurve]:
    """Recover the recipe at each strength, the ends first. Yields the curve so far after each point, and
    Progress at least once per batch.

    Raises:
        ExplorerError: the recipe does not fit, or there is no training data.
    """
    strengths = checked_strengths(strengths)
    done: dict[float, CurvePoint] = {}
    dense = model.profile.macs or None
    for count, strength in enumerate(spread_order(strengths)):
        own = recipe.scaled(strength)
        last: Recovery | None = None
        share = 0.0
        for step in recover(model, own, plan, conditions, root=root):
            last, now = step.value or last, step.progress
            if now is not None and now.label == TRAINING:
                share = now.done / max(1, now.total)
            yield reached(
                round((count + share) * FINE), len(strengths) * FINE, f"Point {count + 1} of {len(strengths)}"
            )
        assert last is not None
        done[strength] = CurvePoint(strength, prepare(model, own, conditions.device).static.macs, last)
        yield Step(RecoveryCurve(len(strengths), dense, tuple(done[s] for s in sorted(done))))
