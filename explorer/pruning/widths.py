"""Counts how many units a recipe leaves in each group, before anything is rated or measured."""

from dataclasses import replace

import torch

from ..values.profile import ModelProfile, Saliencies
from ..values.recipe import Recipe
from ..values.report import PartOutcome
from .cutting import cut


def channel_outcomes(profile: ModelProfile, recipe: Recipe) -> tuple[PartOutcome, ...]:
    """Return the outcome of each group in the recipe, as `cut` will produce it, without deciding which units
    are removed.
    """
    scores = {name: torch.zeros(group.units) for name, group in profile.free_groups.items()}
    channels = replace(recipe, weights={}, blocks=())
    return cut(Saliencies(scores, {}), profile, channels).outcomes


def units_left(profile: ModelProfile, recipe: Recipe) -> dict[str, int]:
    """Return the units left, for the groups that lose some."""
    return {
        found.name: found.units - found.removed
        for found in channel_outcomes(profile, recipe)
        if found.removed
    }
