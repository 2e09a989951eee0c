"""Recipes at one click, and allocators applied to the banks of a mode. Values in, a recipe out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...allocators.context import Losses
from ...graph.analysed import Analysed
from ...graph.export import ModelGraph
from ...planning.allocate import allocate
from ...planning.allocation import Allocation
from ...values.choice import Choice
from ...values.recipe import Recipe
from ..session.modes import GRANULARITY, MODES, BankName, Lock, Mode, in_mode
from .console.strips import with_pattern


@dataclass(frozen=True)
class StartingPoint:
    """A starting point.

    Args:
        mode: which banks it fills; the others are cleared.
        targets: bank -> allocator and overall fraction of its units that is removed.
        pattern: of the weights.
        tooltip: what can be learned from it.
    """

    name: str
    mode: Mode
    targets: Mapping[BankName, tuple[str, float]]
    tooltip: str
    pattern: str = "free"


PRESETS = (
    StartingPoint("Dense", "Combined", {}, "Nothing removed: the baseline of every comparison."),
    StartingPoint(
        "Gentle 30 %",
        "Structured",
        {"channels": ("uniform", 0.3)},
        "30 % of the channels of every group: about half of the parameters between two of them.",
    ),
    StartingPoint(
        "Half the channels",
        "Structured",
        {"channels": ("uniform", 0.5)},
        "Half of the channels of every group: about a quarter of the parameters is left.",
    ),
    StartingPoint(
        "90 % sparse",
        "Unstructured",
        {"weights": ("global_threshold", 0.9)},
        "The smallest 90 % of all weights become zero, wherever they are; the file and the time hardly "
        "change.",
    ),
    StartingPoint(
        "2:4 pattern",
        "Unstructured",
        {"weights": ("uniform", 0.5)},
        "Two of each four consecutive inputs are kept: what sparse tensor cores of GPUs can use.",
        "2:4",
    ),
    StartingPoint(
        "Both",
        "Combined",
        {"channels": ("uniform", 0.3), "weights": ("global_threshold", 0.6)},
        "First 30 % of the channels, then 60 % of the weights that are left.",
    ),
)


def available(graph: ModelGraph) -> tuple[StartingPoint, ...]:
    """Return the presets that this model can use: without a graph, channels are kept."""
    free = bool(graph.profile.free_groups)
    return tuple(preset for preset in PRESETS if free or "channels" not in preset.targets)


@dataclass(frozen=True)
class Allotment:
    """How ratios are chosen: an allocator with its parameters, and an overall target.

    Args:
        losses: bank -> part -> (ratio, how much the loss grows), for allocators that need a scan.
        device: where a criterion that reads training data runs.
    """

    allocator: str
    target: float
    params: Mapping[str, Any] = field(default_factory=dict)
    losses: Mapping[BankName, Losses] = field(default_factory=dict)
    device: str = "cpu"


def follow(
    model: Analysed,
    recipe: Recipe,
    preset: StartingPoint,
    locks: Collection[Lock],
    device: str = "cpu",
) -> Recipe:
    """Return the recipe of a preset; criterion and other settings are kept, and so are the ratios of locked
    parts.

    Raises:
        ExplorerError: the criterion can't rate what the preset removes.
    """
    emptied = replace(
        recipe,
        pattern=preset.pattern,
        remove={},
        channels=_locked(recipe, "channels", locks),
        weights=_locked(recipe, "weights", locks),
    )
    for bank, (allocator, target) in preset.targets.items():
        emptied = allotted(model, emptied, bank, Allotment(allocator, target, device=device), locks)
    return emptied


def _locked(recipe: Recipe, bank: BankName, locks: Collection[Lock]) -> dict[str, float]:
    return {part: ratio for part, ratio in getattr(recipe, bank).items() if (bank, part) in locks}


def allotted(
    model: Analysed,
    recipe: Recipe,
    bank: BankName,
    how: Allotment,
    locks: Collection[Lock],
) -> Recipe:
    """Return the recipe with the ratios of one bank chosen again; under an n:m pattern they become on or off.

    Raises:
        ExplorerError: the target can't be reached, or the allocator lacks something, such as a scan.
    """
    locked = frozenset(part for name, part in locks if name == bank)
    wish = Allocation(
        Choice(how.allocator, how.params), how.target, GRANULARITY[bank], locked, how.losses.get(bank)
    )
    chosen = allocate(model, recipe, wish, how.device)
    return with_pattern(chosen, model.profile, recipe.pattern) if bank == "weights" else chosen


def fill(model: Analysed, recipe: Recipe, mode: Mode, how: Allotment, locks: Collection[Lock]) -> Recipe:
    """Return the recipe with every bank of a mode filled, at one overall target."""
    for bank in MODES[mode]:
        recipe = allotted(model, recipe, bank, how, locks)
    return in_mode(recipe, mode)
