"""What is pruned: channels, weights, or both; banks of faders and their locks."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from ...values.granularity import CHANNEL, GRADED, WEIGHT, Graded
from ...values.recipe import Recipe

Mode = Literal["Structured", "Unstructured", "Combined"]


MODES: Mapping[Mode, tuple[Graded, ...]] = {
    "Structured": (CHANNEL,),
    "Unstructured": (WEIGHT,),
    "Combined": GRADED,
}


def mode_of(recipe: Recipe, chosen: Mode) -> Mode:
    """Return the chosen mode, extended until it shows everything in the recipe: hidden faders must have no
    effect.
    """
    needed: set[Graded] = {CHANNEL} if recipe.channels or recipe.remove else set()
    needed |= {WEIGHT} if recipe.weights else set()
    return next(mode for mode in (chosen, *MODES) if needed <= set(MODES[mode]))


def in_mode(recipe: Recipe, mode: Mode) -> Recipe:
    """Return the recipe without what a mode doesn't show."""
    if CHANNEL not in MODES[mode]:
        recipe = replace(recipe, channels={}, remove={}, keep={})
    return recipe if WEIGHT in MODES[mode] else replace(recipe, weights={}, pattern="free")


Lock = tuple[Graded, str]  # bank and strip
