"""The least predicted loss for a saving, spent over blocks, channels and single weights together.

One knapsack: each block, each coupled group and each layer is a part with its measured losses. Losses of
parts are assumed to add up, which is only roughly true: check the result.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import torch
from torch import Tensor

from ..allocators.context import AllocationContext, Losses, Part, Ratios, TargetError, What
from ..allocators.sensitivity_budget import sensitivity_budget
from ..errors import RecipeError
from ..graph.analysed import Analysed
from ..values.granularity import BLOCK, CHANNEL, GRADED, GRANULARITIES, WEIGHT, Granularity
from ..values.profile import ModelProfile
from ..values.recipe import Recipe, check_ratio
from .allocation_context import NO_FASTER
from .known_latencies import timed_widths, widths_of
from .recipe_costs import CostModel

SAVES: tuple[What, ...] = ("params", "macs", "bytes", "latency")
HIGHEST = 0.9999  # target that no plan is asked to exceed
Key = tuple[Granularity, str]  # and the part


@dataclass(frozen=True)
class JointWish:
    """What a plan spends on.

    Args:
        losses: granularity -> part -> (ratio, growth of the loss) pairs; a block has the ratio 1. Those that
            are missing keep what the recipe says.
        target: fraction of the whole model's cost that is removed; ignored if it is what is searched for.
        saves: the cost: "params", "macs", "bytes" or measured "latency".
        locked: granularity and part of what keeps its ratio.
    Raises:
        RecipeError: there is nothing to spend on, or weights are to save latency.
    """

    losses: Mapping[Granularity, Losses]
    target: float = 0.0
    saves: What = "params"
    locked: frozenset[Key] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        check_ratio("the plan", self.target)
        unknown = [kind for kind in self.losses if kind not in GRANULARITIES]
        if unknown or not any(self.losses.values()):
            raise RecipeError(
                f"A plan spends on some of {', '.join(GRANULARITIES)}, each with measured losses; got "
                f"{', '.join(unknown) or 'none'}."
            )
        if self.saves == "latency" and self.losses.get(WEIGHT):
            raise RecipeError(NO_FASTER)


def joint_plan(model: Analysed, recipe: Recipe, wish: JointWish, device: str = "cpu") -> Recipe:
    """Return the recipe with blocks, channels and weights chosen by one knapsack.

    Args:
        recipe: how units are rated; what the wish spends on is chosen again, apart from what is locked.
    Raises:
        TargetError: the measured ratios cannot reach the target.
        UnmeasuredError: a latency is not measured yet; see `latency_plan.timed`.
    """
    profile, costs = model.profile, CostModel.of(model)
    bare = _bare(recipe, wish)
    units = _units(profile)
    free: dict[str, Key] = {
        f"{kind}: {part}": (kind, part)
        for kind, losses in wish.losses.items()
        for part in losses
        if (kind, part) in units and (kind, part) not in wish.locked
    }

    def cost(what: What, ratios: Ratios) -> float:
        tried = _with(bare, {free[name]: ratio for name, ratio in ratios.items() if ratio})
        if what != "latency":
            return costs.cost(tried, what)
        return timed_widths(model.subject, device).share(widths_of(profile, tried))

    scores: dict[str, Tensor] = {name: torch.zeros(()).expand(units[key]) for name, key in free.items()}
    losses = {name: wish.losses[kind][part] for name, (kind, part) in free.items()}
    parts = {name: Part(kind, (units[kind, part],)) for name, (kind, part) in free.items()}
    context = AllocationContext(parts, cost, losses)
    plan = sensitivity_budget(scores, wish.target, context, saves=wish.saves)
    return _tidied(_with(bare, {free[name]: ratio for name, ratio in plan.items() if ratio}), profile)


def joint_reach(model: Analysed, recipe: Recipe, wish: JointWish, device: str = "cpu") -> tuple[float, float]:
    """Return the lowest and the highest target that a plan can reach.

    Raises:
        UnmeasuredError: as in `joint_plan`.
    """
    try:
        joint_plan(model, recipe, replace(wish, target=HIGHEST), device)
    except TargetError as error:
        return error.low, error.high
    return 0.0, HIGHEST


def predicted_loss(recipe: Recipe, losses: Mapping[Granularity, Losses]) -> float:
    """Return the sum of the measured losses of a recipe's parts, between two ratios linearly."""
    chosen: dict[Granularity, Ratios] = {BLOCK: dict.fromkeys(recipe.blocks, 1.0)}
    chosen |= {kind: recipe.ratios(kind) for kind in GRADED}
    return sum(
        _between([(0.0, 0.0), *losses[kind][part]], ratio)
        for kind, ratios in chosen.items()
        for part, ratio in ratios.items()
        if part in losses.get(kind, {})
    )


def _between(points: list[tuple[float, float]], ratio: float) -> float:
    for (low, a), (high, b) in pairwise(points):
        if low <= ratio <= high:
            return a + (b - a) * (ratio - low) / max(high - low, 1e-12)
    return points[-1][1]


def _units(profile: ModelProfile) -> dict[Key, int]:
    """Return how many units each part has that can lose some."""
    return {
        **{(BLOCK, name): 1 for name in profile.free_blocks},
        **{(CHANNEL, name): group.units for name, group in profile.free_groups.items()},
        **{(WEIGHT, n): torch.Size(layer.shape).numel() for n, layer in profile.prunable_layers.items()},
    }


def _bare(recipe: Recipe, wish: JointWish) -> Recipe:
    """Return the recipe without what is chosen again."""
    for kind in GRADED:
        if wish.losses.get(kind):
            kept = {n: ratio for n, ratio in recipe.ratios(kind).items() if (kind, n) in wish.locked}
            recipe = recipe.with_ratios(kind, kept)
    if wish.losses.get(BLOCK):
        recipe = replace(recipe, blocks=tuple(n for n in recipe.blocks if (BLOCK, n) in wish.locked))
    return recipe


def _with(recipe: Recipe, chosen: Mapping[Key, float]) -> Recipe:
    """Return the recipe with these ratios added."""
    for kind in GRADED:
        own = {part: ratio for (other, part), ratio in chosen.items() if other == kind}
        recipe = recipe.with_ratios(kind, {**recipe.ratios(kind), **own})
    blocks = (part for kind, part in chosen if kind == BLOCK)
    return replace(recipe, blocks=(*recipe.blocks, *blocks))


def _tidied(recipe: Recipe, profile: ModelProfile) -> Recipe:
    """Return the recipe without ratios of parts that lie in removed blocks, where they change nothing."""
    gone = {name for block in profile.blocks if block.name in recipe.blocks for name in block.tensors}
    groups = {group.name: {slot.tensor for slot in group.slots} for group in profile.groups}
    layers = profile.prunable_layers
    return replace(
        recipe,
        channels={n: ratio for n, ratio in recipe.channels.items() if not groups[n] <= gone},
        weights={n: ratio for n, ratio in recipe.weights.items() if layers[n].weight not in gone},
    )
