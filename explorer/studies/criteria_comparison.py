"""Which criterion and which allocator choose the single weights that a model misses least? All combinations
remove equally many weights of the same layers, with and without a repair, and are measured on the same
samples.
"""

import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..engine.conditions import Conditions
from ..errors import ExplorerError, UnknownNameError
from ..graph.analysed import Analysed
from ..measuring.judging import names_of
from ..measuring.statistics import looks_level
from ..measuring.tally import Tally, drop_between
from ..planning.allocate import allocate
from ..planning.allocation import Allocation
from ..registry import ALLOCATORS, CRITERIA
from ..values.choice import Choice
from ..values.granularity import WEIGHT
from ..values.json_fields import built
from ..values.progress import Progress, Returning, Step, Work
from ..values.recipe import Recipe
from ..values.report import Drop, Measurement
from .kept_rows import KeptRows
from .paired_answers import answers, dense_answers, gained

NUMBERED = re.compile(r"(^|\.)\d+\.")  # in the name of a layer that is one of a list, such as layers.3.mlp.up


@dataclass(frozen=True)
class CriteriaPlan:
    """What is compared; the first criterion and the first allocator are those that others are compared with.

    Args:
        removed: shares of the weights in the layers that take part.
        criteria, allocators: every criterion with every allocator.
        after: repairs without training, "none" among them or not.
    Raises:
        UnknownNameError, ExplorerError: a value is not allowed.
    """

    removed: tuple[float, ...] = (0.5, 0.6, 0.7)
    criteria: tuple[str, ...] = ("l1", "wanda", "random")
    allocators: tuple[str, ...] = ("uniform", "lamp", "owl")
    after: tuple[str, ...] = ("none", "least_squares")

    def __post_init__(self) -> None:
        if not self.removed or not all(0 < share < 1 for share in self.removed):
            raise ExplorerError(f"Shares must be between 0 and 1, got {', '.join(map(str, self.removed))}.")
        for kind, names, known in (
            ("criterion", self.criteria, CRITERIA),
            ("allocator", self.allocators, ALLOCATORS),
        ):
            for name in names:
                if name not in known:
                    raise UnknownNameError(kind, name, known)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return (criterion, allocator), in the order in which they are measured."""
        return tuple((criterion, name) for criterion in self.criteria for name in self.allocators)


@dataclass(frozen=True)
class CriteriaRow:
    """One criterion with one allocator at one share.

    Args:
        measured: value, interval and samples; the interval is over documents if the data has them.
        units: documents, or samples where each is one of its own.
        drop: dense minus pruned, on the same samples.
        change: value minus that of the plan's first pair at the same share and repair. Its interval holds for
            all pairs together. None for the first pair.
        skipped: why it was not measured, or "".
    """

    criterion: str
    allocator: str
    removed: float
    after: str
    measured: Measurement | None = None
    units: int = 0
    drop: Drop | None = None
    change: Drop | None = None
    skipped: str = ""

    def to_json(self) -> dict[str, Any]:
        parts = {"measured": self.measured, "drop": self.drop, "change": self.change}
        plain = {name: part.to_json() if part else None for name, part in parts.items()}
        own = ("criterion", "allocator", "removed", "after", "units", "skipped")
        return {**{name: getattr(self, name) for name in own}, **plain}

    @classmethod
    def from_json(cls, data: object) -> "CriteriaRow":
        return built(cls, data)


@dataclass(frozen=True)
class _Block:
    """The rows of one share and repair, as they are kept."""

    rows: tuple[CriteriaRow, ...]


def taking_part(model: Analysed) -> tuple[str, ...]:
    """Return the layers whose weights are removed: those in numbered lists, as the papers on language models
    do, which spare the table of tokens and the last layer. All layers, if there is no such list.
    """
    every = tuple(model.profile.prunable_layers)
    return tuple(name for name in every if NUMBERED.search(name)) or every


def compare_criteria(
    model: Analysed, plan: CriteriaPlan, conditions: Conditions, *, folder: Path | None = None
) -> Work[tuple[CriteriaRow, ...]]:
    """Yield Progress between batches, and all rows so far after each; shares and repairs that are complete
    are read from disk.

    Args:
        folder: of all studies (default: in the user's cache).
    Raises:
        ExplorerError: there is no data.
    """
    task = model.subject.task
    if task is None:
        raise ExplorerError(f"{model.subject.name!r} has no data to compare on; add some with --data.")
    conditions = replace(conditions, latency=False)
    kept = KeptRows("criteria", _key(model, plan, conditions), folder)
    blocks = [(removed, after) for after in plan.after for removed in plan.removed]
    rows: list[CriteriaRow] = []
    dense: Tally | None = None
    for removed, after in blocks:
        now = Progress(len(rows), len(blocks) * len(plan.pairs), f"{removed:g} removed, {after}")
        name = f"{removed:g} {after}"
        known = kept.get(name, partial(built, _Block))
        if known is None:
            dense = dense or (yield from dense_answers(model, conditions))
            block = yield from _block(model, plan, (removed, after), dense, conditions, now)
            kept.add(name, {"rows": [row.to_json() for row in block]})
        else:
            block = list(known.rows)
        rows += block
        yield Step(tuple(rows), now)


def _key(model: Analysed, plan: CriteriaPlan, conditions: Conditions) -> dict[str, Any]:
    task = model.subject.task
    assert task is not None
    return {
        "subject": model.subject.id,
        "task": [task.name, task.fingerprint, list(names_of(task))],
        "pairs": [list(pair) for pair in plan.pairs],
        "samples": conditions.samples,
        "split": conditions.split,
        "device": conditions.device,
    }


def _block(
    model: Analysed,
    plan: CriteriaPlan,
    where: tuple[float, str],
    dense: Tally,
    conditions: Conditions,
    now: Progress,
) -> Returning[list[CriteriaRow]]:
    """Return a row for each pair at one share and repair."""
    removed, after = where
    first: Tally | None = None
    level, rows = looks_level(max(1, len(plan.pairs) - 1)), []
    for place, (criterion, name) in enumerate(plan.pairs):
        row = CriteriaRow(criterion, name, removed, after)
        try:
            recipe = recipe_of(model, criterion, name, removed)
        except ExplorerError as error:
            rows.append(replace(row, skipped=str(error)))
            continue
        counted = replace(now, done=now.done + place)
        tally = yield from answers(model, replace(recipe, after=after), conditions, counted)
        pooled = tally.units.unique().numel() if len(tally.units) else len(tally)
        row = replace(row, measured=tally.measurement(), units=pooled, drop=drop_between(dense, tally))
        if first is not None:
            row = replace(row, change=gained(first, tally, level))
        first = first or tally
        rows.append(row)
    return rows


def recipe_of(model: Analysed, criterion: str, allocator: str, removed: float) -> Recipe:
    """Return the recipe that removes this share of the weights of the layers that take part.

    Raises:
        TargetError, RecipeError: the allocator cannot reach it, or the criterion rates no weights.
    """
    part = taking_part(model)
    locked = frozenset(name for name in model.profile.prunable_layers if name not in part)
    wish = Allocation(Choice(allocator), removed, WEIGHT, locked)
    return allocate(model, Recipe(criterion=Choice(criterion)), wish)
