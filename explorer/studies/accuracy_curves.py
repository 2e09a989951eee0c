"""Measures families of recipes as lines of Reports: accuracy against the model's cost, point by point, the
ends first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from ..allocators.context import TargetError
from ..engine.candidate import build
from ..engine.conditions import Conditions
from ..engine.measure import stream
from ..engine.point_order import spread_order
from ..graph.analysed import Analysed
from ..machine.cache import Cache
from ..measuring.latency import TimingPlan, rounds, summary
from ..measuring.precision import in_dtype
from ..planning.allocate import allocate
from ..planning.allocation import Allocation
from ..pruning.checks import rates_weights
from ..pruning.decision import masks_for
from ..registry import CRITERIA
from ..values.choice import Choice
from ..values.granularity import GRADED, WEIGHT, WORDS, Graded
from ..values.progress import Step, Work, mapped, reached
from ..values.recipe import Recipe
from ..values.report import Report

QUICK = Conditions(samples=512)
STRENGTHS = tuple(i / 8 for i in range(9))
TARGETS = tuple(i / 10 for i in range(10))
MEASURING = "measuring points"
TIMED_PAIRS, TIMED_SECONDS = 12, 1.5  # of one point's latency
Lines = Mapping[str, tuple[Report, ...]]  # name of a family -> its Reports, those that remove least first
_measured = Cache(256, "measured recipes")


@dataclass(frozen=True)
class Family:
    """Recipes that form one line.

    Args:
        name: as in the legend.
        steps: what the recipes differ in, e.g. strengths, rising.
        recipes: one per step.
    """

    name: str
    steps: tuple[float, ...]
    recipes: tuple[Recipe, ...]


# --------------------------------------------------------------------------- families


def scaled(
    recipe: Recipe, strengths: Sequence[float] = STRENGTHS, name: str = "this recipe, weaker and stronger"
) -> Family:
    """Return the recipe from dense to its full strength."""
    return Family(name, tuple(sorted(strengths)), tuple(recipe.scaled(s) for s in sorted(strengths)))


def swept(
    model: Analysed,
    recipe: Recipe,
    allocator: str,
    granularity: Graded,
    targets: Sequence[float] = TARGETS,
) -> Family:
    """Return an allocator's targets from small to large, on channels or on weights; targets that cannot be
    reached are left out.

    Args:
        recipe: how units are rated; its ratios and choices by hand are ignored. For weights, a criterion that
            rates only channels is replaced by l1, and the name says so.
    """
    settings = replace(recipe, channels={}, weights={}, keep={}, remove={}, blocks=())
    if granularity == WEIGHT and not rates_weights(CRITERIA[recipe.criterion.name]):
        settings = replace(settings, criterion=Choice("l1"))
    recipes: dict[float, Recipe] = {}
    for target in sorted(targets):
        try:
            wish = Allocation(Choice(allocator), target, granularity)
            recipes[target] = allocate(model, settings, wish) if target else settings
        except TargetError:
            continue
    name = f"{WORDS[granularity]}, {settings.criterion.name}, {allocator}"
    return Family(name, tuple(recipes), tuple(recipes.values()))


def structured_and_unstructured(
    model: Analysed,
    recipe: Recipe,
    allocator: str = "uniform",
    targets: Sequence[float] = TARGETS,
) -> tuple[Family, ...]:
    """Return channels and single weights under the same allocator, for the same axes; what the model does not
    have is left out.
    """
    possible = (granularity for granularity in GRADED if model.profile.parts(granularity))
    return tuple(swept(model, recipe, allocator, granularity, targets) for granularity in possible)


def by_chance(family: Family) -> Family:
    """Return the control that every criterion must beat: the same amount is removed from every part, but at
    random.
    """
    recipes = tuple(r if r.is_empty else replace(r, criterion=Choice("random")) for r in family.recipes)
    return Family(f"{family.name}: at random", family.steps, recipes)


# --------------------------------------------------------------------------- measuring


def measured(model: Analysed, recipe: Recipe, conditions: Conditions) -> Work[Report]:
    """Yield the Reports of `stream` without latency; for a recipe that was measured before, only the last
    one, at once.

    Latency would delay the first points (see `timed`).
    """
    conditions = replace(conditions, latency=False)
    task = model.subject.task.fingerprint if model.subject.task else None
    key = (model.subject.id, task, recipe.fingerprint, conditions)
    report: Report | None = _measured.get(key)
    if report is not None:
        yield Step(report)
        return
    for step in stream(model, recipe, conditions):
        report = step.value or report
        yield step
    _measured.put(key, report)


def curves(model: Analysed, families: Sequence[Family], conditions: Conditions = QUICK) -> Work[Lines]:
    """Measure all recipes, the families in turns. Yields all lines so far at each new point, and Progress at
    each batch.

    A recipe that is in several families is measured once.
    """
    done: dict[str, dict[float, Report]] = {family.name: {} for family in families}
    turns = in_turns(families)
    for count, (family, step) in enumerate(turns):
        recipe = family.recipes[family.steps.index(step)]
        for news in measured(model, recipe, conditions):
            yield reached(count, len(turns), MEASURING)
            if news.value is not None:
                done[family.name][step] = news.value
        yield Step(lines_of(done))


def in_turns(families: Sequence[Family]) -> list[tuple[Family, float]]:
    """Return the points (family, step) in the order in which they are measured: the families in turns, each
    with its ends first.
    """
    orders = [[(family, step) for step in spread_order(family.steps)] for family in families if family.steps]
    return [point for points in zip_longest(*orders) for point in points if point is not None]


def lines_of(done: Mapping[str, Mapping[float, Report]]) -> Lines:
    """Return the lines of what is measured so far: name of a family -> step -> Report."""
    return {name: tuple(reports[step] for step in sorted(reports)) for name, reports in done.items()}


def strength_curve(
    model: Analysed,
    recipe: Recipe,
    conditions: Conditions = QUICK,
    strengths: Sequence[float] = STRENGTHS,
) -> Work[tuple[Report, ...]]:
    """Measure the recipe from dense to its full strength, ends first; Reports come in the order of their
    strength.
    """
    family = scaled(recipe, strengths)
    yield from mapped(curves(model, [family], conditions), lambda lines: lines[family.name])


def timed(model: Analysed, lines: Lines, device: str = "cpu") -> Work[Lines]:
    """Add latency to the same lines, measured in turns with the dense model; yields all lines so far at each
    point.

    If no channel is removed, the model has the dense one's shapes and therefore its latency.
    """
    timed = {name: list(reports) for name, reports in lines.items()}
    total, count = sum(map(len, timed.values())), 0
    dense = build(model, masks_for(model, Recipe()), device)
    for reports in timed.values():
        for place, report in enumerate(reports):
            yield reached(count, total, "timing points")
            models = {"dense": dense}
            if report.recipe.is_structured:
                models["pruned"] = build(model, masks_for(model, report.recipe), device)
            models = {
                name: in_dtype(network, report.environment.get("dtype", "float32"))
                for name, network in models.items()
            }
            times: dict[str, list[float]] = {name: [] for name in models}
            for turn in rounds(
                models,
                model.subject.example[:1],
                TimingPlan(pairs=TIMED_PAIRS, budget_s=TIMED_SECONDS),
                device=device,
            ):
                for name, milliseconds in (turn.value or {}).items():
                    times[name].append(milliseconds)
                yield reached(count, total, "timing points")
            spread = {name: summary(values) | {"batch": 1} for name, values in times.items()}
            base, own = spread["dense"], spread.get("pruned", spread["dense"])
            reports[place] = replace(
                report,
                baseline=replace(report.baseline, latency_ms=base),
                pruned=replace(report.pruned, latency_ms=own),
            )
            count += 1
            yield Step({name: tuple(values) for name, values in timed.items()})
