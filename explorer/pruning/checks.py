"""Checks whether a recipe fits a model: once, where it comes in. Inside, a recipe is trusted.

It comes in by the command line's flags and files, by the page's edits, links and files, with a kept run or a
worker's task, or by a call of a verb of `explorer`.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from ..errors import RecipeError, UnknownNameError
from ..graph.analysed import Analysed
from ..registry import CRITERIA, Plugin
from ..values.granularity import BLOCK, CHANNEL, PLURALS, WEIGHT
from ..values.profile import ModelProfile
from ..values.recipe import Recipe


def check_recipe(profile: ModelProfile, recipe: Recipe) -> None:
    """Refuse a recipe that does not fit a model, or names what this program does not have.

    Raises:
        UnknownNameError: a group or layer that this model does not have, or a criterion that nobody has.
        RecipeError: a channel number beyond its group, a structured recipe for a model without a graph, or a
            parameter that the criterion does not have.
    """
    criterion = CRITERIA[recipe.criterion.name]
    criterion.check(recipe.criterion.params)
    groups = {group.name: group for group in profile.groups}
    for key, names in ((PLURALS[CHANNEL], recipe.channels), ("keep", recipe.keep), ("remove", recipe.remove)):
        for name in names:
            if name not in groups and profile.error:
                raise RecipeError(f"Channels of this model cannot be pruned: {profile.error}")
            if name not in groups:
                raise UnknownNameError(f"coupled group (asked for in {key!r})", name, profile.free_groups)
    blocks = {block.name: block for block in profile.blocks}
    for name in recipe.blocks:
        if name not in blocks and profile.error:
            raise RecipeError(f"Blocks of this model cannot be removed: {profile.error}")
        if name not in blocks:
            raise UnknownNameError(BLOCK, name, [one.name for one in profile.blocks if not one.reason])
        if blocks[name].reason:
            raise RecipeError(f"Block {name!r} cannot be removed: {blocks[name].reason}.")
    for name in recipe.weights:
        if name not in profile.prunable_layers:
            raise UnknownNameError("layer with prunable weights", name, profile.prunable_layers)
    for which in (recipe.keep, recipe.remove):
        for name, indices in which.items():
            if indices[-1] >= groups[name].units:
                raise RecipeError(
                    f"Channel numbers of {name!r} must be below {groups[name].units}, got {indices[-1]}."
                )
    if recipe.weights:
        check_rates_weights(criterion)


def check_brought(profile: ModelProfile, recipe: Recipe) -> None:
    """Check a recipe from a file or link. If it does not fit, it was most likely made for another model, and
    the error says so.

    Raises:
        RecipeError: as `check_recipe`, with what to do.
    """
    try:
        check_recipe(profile, recipe)
    except UnknownNameError as error:
        raise RecipeError(f"{error} Choose the model that this recipe was made for.") from error


def rates_weights(criterion: Plugin) -> bool:
    """Whether a criterion rates single weights, not only channels."""
    return criterion.traits["level"] == WEIGHT


def check_rates_weights(criterion: Plugin) -> None:
    """Check that a criterion rates weights.

    Raises:
        RecipeError: the criterion rates channels only.
    """
    if not rates_weights(criterion):
        able = ", ".join(name for name, other in CRITERIA.items() if rates_weights(other))
        raise RecipeError(
            f"Criterion {criterion.name!r} rates channels only. For weights choose one of: {able}."
        )


def bordering(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Return a verb that first checks the recipe that it is given, since anybody may call it.

    Args:
        verb: takes a model, a recipe, and more.
    """

    @wraps(verb)
    def checking(model: Analysed, recipe: Recipe, *rest: Any, **named: Any) -> Any:
        check_recipe(model.profile, recipe)
        return verb(model, recipe, *rest, **named)

    return checking
