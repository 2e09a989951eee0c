"""How many units a recipe leaves of each group: a matter of counting, known before anything is rated or
measured.
"""

from dataclasses import replace

import torch

from ..values.profile import ModelProfile, Saliencies
from ..values.recipe import Recipe
from ..values.report import PartOutcome
from .cutting import cut


def channel_outcomes(profile: ModelProfile, recipe: Recipe) -> tuple[PartOutcome, ...]:
    """What becomes of each group that the recipe names, as `cut` will do it; which units go is left open."""
    scores = {name: torch.zeros(group.units) for name, group in profile.free_groups.items()}
    return cut(Saliencies(scores, {}), profile, replace(recipe, weights={})).outcomes


def units_left(profile: ModelProfile, recipe: Recipe) -> dict[str, int]:
    """Group -> units left, for the groups that lose some."""
    return {
        found.name: found.units - found.removed
        for found in channel_outcomes(profile, recipe)
        if found.removed
    }
