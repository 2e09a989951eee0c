"""Recipe + target -> a recipe whose ratios an allocator chose."""

from collections.abc import Mapping
from typing import Any

import torch

from ..allocators.context import Losses, TargetError
from ..graph.analysed import Analysed
from ..pruning.checks import check_rates_weights
from ..pruning.decision import scores_for
from ..registry import ALLOCATORS, CRITERIA
from ..values.profile import Scores
from ..values.recipe import Recipe, check_ratio
from .allocation_context import context_for

HIGHEST = 0.9999  # target that is offered


def allocate(
    model: Analysed,
    recipe: Recipe,
    name: str,
    target: float,
    granularity: str,
    locked: frozenset[str] = frozenset(),
    *,
    params: Mapping[str, Any] | None = None,
    losses: Losses | None = None,
    device: str = "cpu",
) -> Recipe:
    """The recipe with ratios chosen by an allocator; locked parts keep theirs.

    Args:
        target: fraction of all units of the unlocked parts that goes (sensitivity_budget: of the whole
            model's cost).
        granularity: "channel" or "weight".
        params: of the allocator.
        losses: how much the loss grows at each scanned ratio of each part, for allocators that need a scan.
    Raises:
        TargetError: the target cannot be reached.
        RecipeError: the criterion cannot rate weights.
    """
    allocator = ALLOCATORS[name]
    target, given = check_ratio(name, target), allocator.check(params or {})
    if granularity == "weight":
        check_rates_weights(CRITERIA[recipe.criterion.name])
    kept = {part: ratio for part, ratio in recipe.ratios(granularity).items() if part in locked}
    scores = _unit_scores(model, recipe, granularity, allocator.traits["needs_scores"], device)
    free = {part: score for part, score in scores.items() if part not in locked}
    context = context_for(
        model.subject, model.profile, recipe.with_ratios(granularity, kept), granularity, losses, device
    )
    return recipe.with_ratios(granularity, {**kept, **allocator(free, target, context, **given)})


def reach(
    model: Analysed,
    recipe: Recipe,
    name: str,
    granularity: str,
    locked: frozenset[str] = frozenset(),
    *,
    params: Mapping[str, Any] | None = None,
    losses: Losses | None = None,
    device: str = "cpu",
) -> tuple[float, float]:
    """The lowest and the highest target that an allocator can meet; nothing is rated for it.

    Raises:
        ExplorerError: the allocator lacks something, such as a scan.
    """
    allocator = ALLOCATORS[name]
    kept = {part: ratio for part, ratio in recipe.ratios(granularity).items() if part in locked}
    free = {
        part: s
        for part, s in _unit_scores(model, recipe, granularity, False, device).items()
        if part not in locked
    }
    context = context_for(
        model.subject, model.profile, recipe.with_ratios(granularity, kept), granularity, losses, device
    )
    try:
        allocator(free, 1.0, context, **allocator.check(params or {}))
    except TargetError as error:
        return error.low, error.high
    return 0.0, HIGHEST


def _unit_scores(model: Analysed, recipe: Recipe, granularity: str, needed: bool, device: str) -> Scores:
    """Part -> saliency of its units; where it isn't needed, something of that shape that costs nothing."""
    if needed:
        return scores_for(model, recipe, device)["channels" if granularity == "channel" else "weights"]
    profile = model.profile
    if granularity == "channel":
        return {name: torch.zeros(()).expand(group.units) for name, group in profile.free_groups.items()}
    return {name: torch.zeros(()).expand(layer.shape) for name, layer in profile.prunable_layers.items()}
