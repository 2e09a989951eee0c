"""Finds the smallest model within a budget of lost quality by measured bisection; the intervals account for
every look.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from ..engine.conditions import Conditions
from ..engine.measure import stream
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..measuring.allowance import limit_words, whole_of
from ..measuring.statistics import looks_level
from ..pruning.decision import calibrate
from ..values.choice import Choice
from ..values.metric import Scale
from ..values.progress import Progress, Step, Work, result_of
from ..values.recipe import Recipe
from ..values.report import Report
from ..values.subject import Subject
from .allocate import allocate, reach
from .allocation import Allocation
from .joint_plan import JointWish, joint_plan, joint_reach
from .latency_plan import timed

LOOKS = 7
EVERYTHING = Conditions()  # all samples of the tuning split
USUAL = Allocation(Choice("global_threshold"))


@dataclass(frozen=True)
class Budget:
    """The state of the search.

    Args:
        allowed: drop of accuracy or another fraction; of other metrics the share of the dense model's value.
        level: of each look's interval, so that all looks together hold at 95 %.
        looks: how many were planned.
        tried: target -> its Report, in the order of measuring.
        best: the highest target whose drop is at most `allowed` even at the upper end of its interval, or
            None.
    """

    allowed: float
    level: float
    looks: int
    tried: Mapping[float, Report]
    best: float | None = None

    @property
    def report(self) -> Report | None:
        """Return the report of the best target."""
        return None if self.best is None else self.tried[self.best]

    @property
    def words(self) -> str:
        """Return what is allowed, in words."""
        measured = next((report for report in self.tried.values() if report.drop), None)
        scale, dense = (measured.scale, measured.baseline.value) if measured else (Scale(), 1.0)
        return limit_words(self.allowed, scale, dense or 0.0)

    @property
    def summary(self) -> str:
        """Return one sentence."""
        looked = f"after {len(self.tried)} of {self.looks} looks at level {self.level:.4g}"
        if self.best is None:
            return (
                f"Of no pruned model it could be shown that {self.words}, {looked}; allow more, or measure "
                "on more samples."
            )
        return f"At {100 * self.best:.1f} % removed, {self.words}, {looked}."


def accuracy_budget(
    model: Analysed,
    recipe: Recipe,
    allowed: float,
    wish: Allocation | JointWish = USUAL,
    *,
    conditions: Conditions = EVERYTHING,
    looks: int = LOOKS,
) -> Work[Budget]:
    """Yield Progress between batches, and a Budget after each look; the last one is the answer.

    Bisects the wish's target, so it assumes that more pruning loses more. A target is accepted if the
    upper end of the drop's interval is within the allowed drop, so fewer samples accept less, never more.

    Args:
        allowed: drop of accuracy (or another fraction) that is acceptable, in (0, 1); of other metrics the
            part of the dense model's value.
        wish: to an allocator, or for a plan over several kinds; its target is what is searched.
    Raises:
        ExplorerError: `allowed` or `looks` is out of range, the model has no data, or the allocator cannot be
            used.
    """
    check_budget(model.subject, allowed, looks)
    how = replace(conditions, latency=False, level=looks_level(looks))
    yield from calibrate(model, recipe, how.device)
    low, high = yield from timed(model, lambda: _reach(model, recipe, wish, how.device), how.device)
    budget = Budget(allowed, how.level, looks, {})
    for look in range(looks):
        target = round((low + high) / 2, 4)
        if target in budget.tried:
            break  # targets are tried to four decimals
        asked = replace(wish, target=target)
        tried = yield from timed(model, partial(_chosen, model, recipe, asked, how.device), how.device)
        now = Progress(look, looks, f"Measuring at {100 * target:.1f} %")
        report = yield from result_of(stream(model, tried, how), now)
        within = is_within(report, allowed)
        low, high = (target, high) if within else (low, target)
        budget = replace(
            budget, tried={**budget.tried, target: report}, best=target if within else budget.best
        )
        yield Step(budget)


def _chosen(model: Analysed, recipe: Recipe, wish: Allocation | JointWish, device: str) -> Recipe:
    """Return the recipe that meets the wish's target."""
    if isinstance(wish, JointWish):
        return joint_plan(model, recipe, wish, device)
    return allocate(model, recipe, wish, device)


def _reach(model: Analysed, recipe: Recipe, wish: Allocation | JointWish, device: str) -> tuple[float, float]:
    """Return the lowest and the highest target that a wish can have."""
    if isinstance(wish, JointWish):
        return joint_reach(model, recipe, wish, device)
    return reach(model, recipe, wish, device)


def is_within(report: Report, allowed: float) -> bool:
    """Whether the worst that the interval holds is allowed: of fractions such as accuracy that much less, of
    other metrics that fraction of the dense model's value.
    """
    if report.drop is None:
        return False
    return report.drop.most_lost <= allowed * whole_of(report.scale, report.baseline.value or 0.0)


def check_budget(subject: Subject, allowed: float, looks: int) -> None:
    """Refuse a budget that cannot be searched for, before anything is measured.

    Raises:
        ExplorerError: `allowed` or `looks` is out of range, or the model has no data.
    """
    if subject.task is None:
        raise ExplorerError(
            f"{subject.name!r} has no data, so no drop can be measured; add some with --data."
        )
    if not 0 < allowed < 1:
        raise ExplorerError(
            f"The allowed drop must be in (0, 1), such as 0.01 for one point, got {allowed!r}."
        )
    if not 1 <= looks <= 20:
        raise ExplorerError(f"The number of looks must be from 1 to 20, got {looks!r}.")
