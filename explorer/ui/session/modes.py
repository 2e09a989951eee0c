"""What is pruned: channels, weights, or both; banks of faders and their locks."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from ...values.recipe import Recipe

BankName = Literal["channels", "weights"]
Mode = Literal["Structured", "Unstructured", "Combined"]


MODES: Mapping[Mode, tuple[BankName, ...]] = {
    "Structured": ("channels",),
    "Unstructured": ("weights",),
    "Combined": ("channels", "weights"),
}


def mode_of(recipe: Recipe, chosen: Mode) -> Mode:
    """Return the chosen mode, extended until it shows everything in the recipe: hidden faders must have no
    effect.
    """
    needed = {"channels"} if recipe.channels or recipe.remove else set()
    needed |= {"weights"} if recipe.weights else set()
    return next(mode for mode in (chosen, *MODES) if needed <= set(MODES[mode]))


def in_mode(recipe: Recipe, mode: Mode) -> Recipe:
    """Return the recipe without what a mode doesn't show."""
    if "channels" not in MODES[mode]:
        recipe = replace(recipe, channels={}, remove={}, keep={})
    return recipe if "weights" in MODES[mode] else replace(recipe, weights={}, pattern="free")


Lock = tuple[str, str]  # bank and strip


GRANULARITY: Mapping[BankName, Literal["channel", "weight"]] = {"channels": "channel", "weights": "weight"}
