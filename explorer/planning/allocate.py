"""Recipe + target -> a recipe with ratios chosen by an allocator."""

from dataclasses import replace

import torch

from ..allocators.context import AllocationContext, TargetError
from ..graph.analysed import Analysed
from ..pruning.checks import check_rates_weights
from ..pruning.decision import scores_for
from ..registry import ALLOCATORS, CRITERIA
from ..values.choice import Choice
from ..values.granularity import CHANNEL, WEIGHT, Graded
from ..values.made_when_asked import MadeWhenAsked
from ..values.profile import Scores
from ..values.recipe import Recipe, check_ratio
from .allocation import Allocation
from .allocation_context import context_for

HIGHEST = 0.9999  # largest target on offer


def allocate(model: Analysed, recipe: Recipe, wish: Allocation, device: str = "cpu") -> Recipe:
    """Return the recipe with ratios chosen by an allocator; locked parts keep theirs.

    Raises:
        TargetError: the target cannot be reached.
        RecipeError: the criterion cannot rate weights.
    """
    allocator = ALLOCATORS[wish.choice.name]
    target, params = check_ratio(wish.choice.name, wish.target), allocator.check(wish.choice.params)
    if wish.granularity == WEIGHT:
        check_rates_weights(CRITERIA[recipe.criterion.name])
    rated = rated_by(recipe, wish.choice.name)
    scores = _unit_scores(model, rated, wish.granularity, allocator.traits["needs_scores"], device)
    chosen = allocator(_free(scores, wish), target, _context(model, recipe, wish, device), **params)
    return recipe.with_ratios(wish.granularity, {**_kept(recipe, wish), **chosen})


def rated_by(recipe: Recipe, allocator: str) -> Recipe:
    """Return the recipe with the criterion that an allocator compares parts by: that of the recipe, unless
    the allocator has one of its own.
    """
    own = ALLOCATORS[allocator].traits.get("scores_of")
    return replace(recipe, criterion=Choice(own)) if own else recipe


def reach(model: Analysed, recipe: Recipe, wish: Allocation, device: str = "cpu") -> tuple[float, float]:
    """Return the lowest and the highest target that an allocator can reach; nothing is rated for it.

    Raises:
        ExplorerError: the allocator lacks something, such as a scan.
    """
    allocator = ALLOCATORS[wish.choice.name]
    free = _free(_unit_scores(model, recipe, wish.granularity, False, device), wish)
    context = _context(model, recipe, wish, device)
    try:
        allocator(free, 1.0, context, **allocator.check(wish.choice.params))
    except TargetError as error:
        return error.low, error.high
    return 0.0, HIGHEST


def _kept(recipe: Recipe, wish: Allocation) -> dict[str, float]:
    """Return the ratios of the locked parts."""
    return {part: ratio for part, ratio in recipe.ratios(wish.granularity).items() if part in wish.locked}


def _free(scores: Scores, wish: Allocation) -> Scores:
    """Return the scores of the unlocked parts."""
    return MadeWhenAsked((part for part in scores if part not in wish.locked), scores.__getitem__)


def _context(model: Analysed, recipe: Recipe, wish: Allocation, device: str) -> AllocationContext:
    bare = recipe.with_ratios(wish.granularity, _kept(recipe, wish))
    return context_for(model, bare, wish.granularity, wish.losses, device)


def _unit_scores(model: Analysed, recipe: Recipe, granularity: Graded, needed: bool, device: str) -> Scores:
    """Return the saliency of each part's units; if it isn't needed, placeholders of that shape that cost
    nothing.
    """
    if needed:
        return scores_for(model, recipe, device).of(granularity)
    profile = model.profile
    if granularity == CHANNEL:
        return {name: torch.zeros(()).expand(group.units) for name, group in profile.free_groups.items()}
    return {name: torch.zeros(()).expand(layer.shape) for name, layer in profile.prunable_layers.items()}
