"""Measures what criteria claim: the same ratio of the same group's channels, removed by each criterion, with
random choice as the control.

The accuracy that is left under each criterion settles what they dispute. Random choice, with several seeds,
shows how much of it is luck: a criterion that is not above that band tells you nothing about this group.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..engine.conditions import Conditions
from ..engine.measure import stream
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..graph.export import ModelGraph
from ..measuring.statistics import looks_level
from ..pruning.decision import calibrate
from ..registry import CRITERIA
from ..values.choice import Choice
from ..values.metric import ACCURACY, Scale
from ..values.progress import Progress, Step, Work, result_of
from ..values.recipe import Recipe, check_ratio
from ..values.report import Report
from .criteria_agreement import ALL

CONTROL = "random"
SEEDS = 5  # of the control
EVERYTHING = Conditions()


@dataclass(frozen=True)
class DuelPlan:
    """What is measured.

    Args:
        group: a coupled group, pruned alone, or `ALL` of them at the same ratio.
        ratio: fraction of its channels that is removed.
        criteria: names; None = all. The control always takes part.
        seeds: of the control.
    """

    group: str
    ratio: float
    criteria: Sequence[str] | None = None
    seeds: int = SEEDS


@dataclass(frozen=True)
class Duel:
    """What was measured so far.

    Args:
        group: that was pruned alone, or all of them.
        ratio: fraction of its channels that was removed.
        reports: criterion -> its Reports; the control has one per seed, all others just one.
        left_out: criterion -> why it cannot rate this model, one sentence.
        level: of each interval, so that all criteria together hold at 95 %.
        expected: number of reports when all is measured.
    """

    group: str
    ratio: float
    reports: Mapping[str, tuple[Report, ...]]
    left_out: Mapping[str, str]
    level: float
    expected: int

    @property
    def finished(self) -> bool:
        """Whether everything is measured."""
        return sum(map(len, self.reports.values())) == self.expected

    @property
    def order(self) -> tuple[str, ...]:
        """Return the criteria, the one that loses least first and the control last."""
        lost = {name: _lost(reports) for name, reports in self.reports.items() if name != CONTROL}
        return (*sorted(lost, key=lost.__getitem__), *([CONTROL] if CONTROL in self.reports else []))

    @property
    def scale(self) -> Scale:
        """Return how the metric's values are read."""
        return next((r.drop.scale for every in self.reports.values() for r in every if r.drop), ACCURACY)

    @property
    def chance(self) -> tuple[float, float] | None:
        """Return the lowest and highest loss of the control's seeds; more is worse, as in `Drop.loss`."""
        drops = [report.drop.loss for report in self.reports.get(CONTROL, ()) if report.drop]
        return (min(drops), max(drops)) if drops else None

    @property
    def beats_chance(self) -> tuple[str, ...]:
        """Return the criteria that lose less than every seed of the control, even at the upper end of their
        interval.
        """
        if self.chance is None:
            return ()
        ends = {name: self.reports[name][0].drop for name in self.order if name != CONTROL}
        return tuple(name for name, drop in ends.items() if drop and drop.most_lost < self.chance[0])


def _lost(reports: Sequence[Report]) -> float:
    """Return the mean loss of the metric; more is worse, whichever direction is better."""
    drops = [report.drop.loss for report in reports if report.drop]
    return sum(drops) / len(drops) if drops else 0.0


def duel(
    model: Analysed,
    recipe: Recipe,
    plan: DuelPlan,
    conditions: Conditions = EVERYTHING,
) -> Work[Duel]:
    """Yield Progress between batches, and a Duel after each measurement; the control is measured first.

    Args:
        recipe: its reduction, repair, multiples and the parameters of its own criterion are used; its ratios
            are ignored.
    Raises:
        ExplorerError: no data, an unknown name, or a ratio outside [0, 1).
    """
    if model.subject.task is None:
        raise ExplorerError(
            f"{model.subject.name!r} has no data, so nothing can be measured; add some with --data."
        )
    recipes = list(_recipes(model.graph, recipe, plan))
    names = {candidate.criterion.name for candidate in recipes}
    how = replace(conditions, latency=False, level=looks_level(len(names)))
    result = Duel(plan.group, plan.ratio, {}, {}, how.level, len(recipes))
    for done, candidate in enumerate(recipes):
        name = candidate.criterion.name
        try:
            yield from calibrate(model, candidate, how.device)
            now = Progress(done, len(recipes), f"Measuring {name}")
            report = yield from result_of(stream(model, candidate, how), now)
        except ExplorerError as error:
            result = replace(
                result, left_out={**result.left_out, name: str(error)}, expected=result.expected - 1
            )
        else:
            result = replace(
                result, reports={**result.reports, name: (*result.reports.get(name, ()), report)}
            )
        yield Step(result)


def _recipes(graph: ModelGraph, recipe: Recipe, plan: DuelPlan) -> Iterator[Recipe]:
    """Yield the control with each seed, then one recipe for each criterion."""
    groups = list(graph.profile.free_groups) if plan.group == ALL else [plan.group]
    ratio = check_ratio(plan.group, plan.ratio)
    plain = replace(
        recipe, channels=dict.fromkeys(groups, ratio), weights={}, keep={}, remove={}, pattern="free"
    )
    for seed in range(plan.seeds):
        yield replace(plain, criterion=Choice(CONTROL), seed=seed)
    for name in [CRITERIA[name].name for name in plan.criteria or CRITERIA]:
        if name != CONTROL:
            yield plain if name == recipe.criterion.name else replace(plain, criterion=Choice(name))
