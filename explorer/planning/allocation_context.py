"""What allocators know about a subject, a recipe and a scan."""

from functools import cache

from ..allocators.context import AllocationContext, Losses, Part, Ratios, What
from ..errors import RecipeError
from ..graph.analysed import Analysed
from ..values.granularity import CHANNEL, WEIGHT, Graded
from ..values.profile import Group, Layer, ModelProfile
from ..values.recipe import Recipe
from .known_latencies import timed_widths, widths_of
from .recipe_costs import CostModel

NO_FASTER = (
    "Single weights at zero make no dense kernel faster, so no latency can be saved by them; choose channels."
)


def context_for(
    model: Analysed,
    recipe: Recipe,
    granularity: Graded,
    losses: Losses | None = None,
    device: str = "cpu",
) -> AllocationContext:
    """Return what allocators may know about a model.

    Args:
        recipe: with the ratios that are kept.
        device: the device whose latency counts; a request for one that isn't measured yet is an
            UnmeasuredError.
    """
    subject, profile, costs = model.subject, model.profile, CostModel.of(model)
    if granularity == CHANNEL:
        makers = {name: _maker(profile, group) for name, group in profile.free_groups.items()}
    else:
        makers = dict(profile.prunable_layers)
    times = cache(lambda: timed_widths(subject, device))  # most allocators do not ask for them

    def cost(what: What, ratios: Ratios) -> float:
        tried = recipe.with_ratios(granularity, {**recipe.ratios(granularity), **ratios})
        if what != "latency":
            return costs.cost(tried, what)
        if granularity == WEIGHT:
            raise RecipeError(NO_FASTER)
        return times().share(widths_of(profile, tried))

    return AllocationContext(
        {name: Part(layer.kind, layer.shape) for name, layer in makers.items()}, cost, losses
    )


def _maker(profile: ModelProfile, group: Group) -> Layer:
    """Return the first layer that produces a group's units."""
    tensors = {slot.tensor for slot in group.slots if slot.producer}
    return next(layer for layer in profile.layers if layer.weight in tensors)
