"""Recipes at one click, and allocators applied to the banks of a mode. Values in, a recipe out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...allocators.context import Losses
from ...graph.analysed import Analysed
from ...planning.allocate import allocate
from ...planning.allocation import Allocation
from ...values.choice import Choice
from ...values.granularity import CHANNEL, WEIGHT, Graded
from ...values.recipe import Recipe
from ...values.subject import Subject
from ..session.modes import MODES, Lock, Mode, in_mode
from .console.strips import with_pattern

REPAIR = "least_squares"  # wins back most of all that ask for no training


def best_repair(subject: Subject) -> str:
    """Return the repair after a cut that wins back most without training; it takes training inputs."""
    task = subject.task
    return REPAIR if task is not None and task.has("training") else "none"


@dataclass(frozen=True)
class StartingPoint:
    """A starting point.

    Args:
        key: by which the program asks for it.
        name: what it does, in one line.
        mode: which banks it fills; the others are emptied.
        targets: bank -> allocator and overall fraction of its units that goes.
        pattern: of the weights.
        repairs: whether the cut is repaired, without training.
        tooltip: what can be learned from it.
    """

    key: str
    name: str
    mode: Mode
    targets: Mapping[Graded, tuple[str, float]]
    tooltip: str
    pattern: str = "free"
    repairs: bool = False


# what a gentle cut may lose, and what it takes of a model of which nobody has measured how much that is
GENTLE_POINTS, GENTLE = 1.0, 0.15
GENTLE_CARD = "gentle_share"  # of a sample's card: the largest measured share that loses no more
PRESETS = (
    StartingPoint("dense", "Dense", "Combined", {}, "Nothing is removed: the baseline of every comparison."),
    StartingPoint(
        "gentle",
        "Gentle: {share} of channels, repaired",
        "Structured",
        {CHANNEL: ("uniform", GENTLE)},
        "The same share of every layer's channels, then a repair without training. {why}",
        repairs=True,
    ),
    StartingPoint(
        "sparse",
        "Sparse: 50 % of weights",
        "Unstructured",
        {WEIGHT: ("global_threshold", 0.5)},
        "The smaller half of all weights becomes zero; the file and the time hardly change.",
        repairs=True,
    ),
    StartingPoint(
        "pattern",
        "2:4 pattern of weights",
        "Unstructured",
        {WEIGHT: ("uniform", 0.5)},
        "Two of each four consecutive inputs are kept: what sparse tensor cores of GPUs can use.",
        "2:4",
        repairs=True,
    ),
    StartingPoint(
        "both",
        "Both: 10 % of channels, then 40 % of weights",
        "Combined",
        {CHANNEL: ("uniform", 0.1), WEIGHT: ("global_threshold", 0.4)},
        "First channels, then weights of what is left, then a repair.",
        repairs=True,
    ),
    StartingPoint(
        "half",
        "Hard: half of the channels (breaks it, then win it back)",
        "Structured",
        {CHANNEL: ("uniform", 0.5)},
        "About a quarter of the parameters stays. The accuracy collapses; *Win it back* repairs it.",
    ),
    StartingPoint(
        "very sparse",
        "Hard: 90 % of weights (breaks it, then win it back)",
        "Unstructured",
        {WEIGHT: ("global_threshold", 0.9)},
        "Only a tenth of the weights stays. The accuracy collapses; *Win it back* repairs it.",
    ),
)


def available(model: Analysed) -> tuple[StartingPoint, ...]:
    """Return the presets that this model can use: without a graph, channels are kept. The gentle one takes as
    much as was measured to be gentle for this model.
    """
    free = bool(model.profile.free_groups)
    return tuple(
        _measured(preset, model.subject) for preset in PRESETS if free or CHANNEL not in preset.targets
    )


def _measured(preset: StartingPoint, subject: Subject) -> StartingPoint:
    if preset.key != "gentle":
        return preset
    known = subject.card.get(GENTLE_CARD)
    share = known if isinstance(known, float) and 0 < known < 0.5 else GENTLE
    why = (
        f"Measured to lose at most {GENTLE_POINTS:g} point."
        if share == known
        else "Small enough for most models."
    )
    return replace(
        preset,
        name=preset.name.format(share=f"{100 * share:.0f} %"),
        targets={CHANNEL: ("uniform", share)},
        tooltip=preset.tooltip.format(why=why),
    )


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
    losses: Mapping[Graded, Losses] = field(default_factory=dict)
    device: str = "cpu"


def follow(
    model: Analysed,
    recipe: Recipe,
    preset: StartingPoint,
    locks: Collection[Lock],
    device: str = "cpu",
) -> Recipe:
    """Return the recipe of a preset, which keeps the criterion and the ratios of locked parts.

    Raises:
        ExplorerError: the criterion can't rate what the preset removes.
    """
    emptied = replace(
        recipe,
        pattern=preset.pattern,
        after=best_repair(model.subject) if preset.repairs else "none",
        remove={},
        blocks=(),
        channels=_locked(recipe, CHANNEL, locks),
        weights=_locked(recipe, WEIGHT, locks),
    )
    for bank, (allocator, target) in preset.targets.items():
        emptied = allotted(model, emptied, bank, Allotment(allocator, target, device=device), locks)
    return emptied


def _locked(recipe: Recipe, bank: Graded, locks: Collection[Lock]) -> dict[str, float]:
    return {part: ratio for part, ratio in recipe.ratios(bank).items() if (bank, part) in locks}


def allotted(
    model: Analysed,
    recipe: Recipe,
    bank: Graded,
    how: Allotment,
    locks: Collection[Lock],
) -> Recipe:
    """Return the recipe with the ratios of one bank chosen again; under an n:m pattern they become on or off.

    Raises:
        ExplorerError: the target can't be reached, or the allocator lacks something, such as a scan.
    """
    locked = frozenset(part for name, part in locks if name == bank)
    wish = Allocation(Choice(how.allocator, how.params), how.target, bank, locked, how.losses.get(bank))
    chosen = allocate(model, recipe, wish, how.device)
    return with_pattern(chosen, model.profile, recipe.pattern) if bank == WEIGHT else chosen


def fill(model: Analysed, recipe: Recipe, mode: Mode, how: Allotment, locks: Collection[Lock]) -> Recipe:
    """Return the recipe with every bank of a mode filled, at one overall target."""
    for bank in MODES[mode]:
        recipe = allotted(model, recipe, bank, how, locks)
    return in_mode(recipe, mode)
