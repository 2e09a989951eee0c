"""Are other allocators better than uniform ratios? All recipes remove equally many parameters, and are
measured right after the cut and after a repair without training, on the same samples.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..allocators.context import Losses
from ..engine.conditions import Conditions
from ..errors import ExplorerError, UnknownNameError
from ..graph.analysed import Analysed
from ..measuring.statistics import looks_level
from ..measuring.tally import Tally, drop_between
from ..planning.allocate import allocate
from ..planning.allocation import Allocation
from ..registry import ALLOCATORS
from ..values.choice import Choice
from ..values.granularity import CHANNEL, Graded
from ..values.progress import Progress, Step, Work
from ..values.recipe import Recipe
from ..values.report import Drop, Measurement
from .equal_parameters import near
from .paired_answers import answers, dense_answers, gained
from .sensitivity.scan_at_hand import finished_at_hand
from .sensitivity.values import ScanPlan

UNIFORM = "uniform"
AFTER = ("none", "least_squares")


@dataclass(frozen=True)
class ComparisonPlan:
    """What is compared.

    Args:
        removed: shares of the model's parameters that each allocator removes.
        criterion: chooses the units of a part.
        allocators: compared with uniform ratios; () = all.
    Raises:
        ExplorerError: there is no such allocator.
    """

    removed: tuple[float, ...] = (0.5, 0.7)
    granularity: Graded = CHANNEL
    criterion: str = "l1"
    after: tuple[str, ...] = AFTER
    allocators: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Return the allocators, uniform first."""
        return [UNIFORM, *(name for name in self.allocators or ALLOCATORS if name != UNIFORM)]

    def __post_init__(self) -> None:
        for name in self.allocators:
            if name not in ALLOCATORS:
                raise UnknownNameError("allocator", name, ALLOCATORS)


@dataclass(frozen=True)
class AllocatorRow:
    """One allocator at one share of removed parameters.

    Args:
        left: share of the parameters that is really left; None if the allocator cannot come near it.
        gain: value minus that of uniform ratios on the same samples; None for uniform itself. Its interval
            holds for all allocators of the same share and repair together.
    """

    allocator: str
    removed: float
    after: str
    left: float | None = None
    measured: Measurement | None = None
    drop: Drop | None = None
    gain: Drop | None = None
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        parts = {"measured": self.measured, "drop": self.drop, "gain": self.gain}
        plain = {name: part.to_json() if part else None for name, part in parts.items()}
        return {**asdict(replace(self, measured=None, drop=None, gain=None)), **plain}


def compare_allocators(
    model: Analysed, plan: ComparisonPlan, conditions: Conditions, *, folder: Path | None = None
) -> Work[tuple[AllocatorRow, ...]]:
    """Yield Progress between batches, and all rows so far after each allocator; uniform comes first.

    `sensitivity_budget` takes part if a finished scan of cuts without a repair is known.

    Args:
        folder: of scans (default: in the user's cache).
    Raises:
        ExplorerError: there is no data, or uniform ratios cannot remove so much.
    """
    if model.subject.task is None:
        raise ExplorerError(f"{model.subject.name!r} has no data to compare on; add some with --data.")
    conditions = replace(conditions, split="tuning", latency=False)
    losses = _losses(model, plan, conditions, folder)
    names = plan.names
    total = len(plan.removed) * len(plan.after) * len(names)
    rows: list[AllocatorRow] = []
    level = looks_level(len(names) - 1)
    dense = yield from dense_answers(model, conditions)
    for removed in plan.removed:
        recipes = {name: _recipe(model, plan, name, removed, losses) for name in names}
        for after in plan.after:
            tallies: dict[str, Tally] = {}
            for name in names:
                now = Progress(len(rows), total, f"Measuring {name}")
                recipe, left, why = recipes[name]
                row = AllocatorRow(name, removed, after, left, why=why)
                if recipe is not None:
                    asked = replace(recipe, after=after)
                    tally = tallies[name] = yield from answers(model, asked, conditions, now)
                    other = tallies.get(UNIFORM)
                    row = replace(row, measured=tally.measurement(), drop=drop_between(dense, tally))
                    if other is not None and name != UNIFORM:
                        row = replace(row, gain=gained(other, tally, level))
                rows.append(row)
                yield Step(tuple(rows), now)


def _losses(
    model: Analysed, plan: ComparisonPlan, conditions: Conditions, folder: Path | None
) -> Losses | None:
    scanned = ScanPlan(plan.granularity, recipe=Recipe(criterion=Choice(plan.criterion)))
    every = replace(conditions, samples=None)
    try:
        scan = finished_at_hand(model, scanned, every, folder=folder)
    except ExplorerError:
        return None
    return None if scan is None else scan.losses()


def _recipe(
    model: Analysed, plan: ComparisonPlan, name: str, removed: float, losses: Losses | None
) -> tuple[Recipe | None, float | None, str]:
    """Return an allocator's recipe, the share of parameters that it leaves, and why there is none."""
    start = Recipe(criterion=Choice(plan.criterion))
    if ALLOCATORS[name].traits["needs_scan"] and losses is None:
        return None, None, "no finished scan is known"

    def at(target: float) -> Recipe:
        wish = Allocation(Choice(name), target, plan.granularity, losses=losses)
        return allocate(model, start, wish)

    try:
        found = near(model, at, 1 - removed)
    except ExplorerError as error:
        return None, None, str(error)
    return (*found, "") if found else (None, None, "it cannot remove so much")
