"""Prunes a little, trains, rates the trained weights, and prunes more, up to exactly the ratios of the
recipe.
"""

import math

from torch import Tensor

from ..graph.analysed import Analysed
from ..pruning.cutting import cut
from ..pruning.decision import scores_for
from ..values.profile import Masks, Saliencies
from ..values.recipe import Recipe
from .finetuning import Course
from .phases import Known, Phase, Setting
from .schedules import shares, strengths
from .students import Student, make_student


def iterated(setting: Setting, seed: int) -> list[Phase]:
    """Yield a phase for each round; what a round removed stays removed, so the masks nest."""
    plan = setting.plan
    steps = zip(strengths(plan.round_schedule, plan.rounds), shares(plan.epochs, plan.rounds), strict=True)
    return [_round(setting, number, strength, epochs) for number, (strength, epochs) in enumerate(steps, 1)]


def _round(setting: Setting, number: int, strength: float, epochs: int) -> Phase:
    plan = setting.plan
    return Phase(
        f"round {number} of {plan.rounds}",
        epochs,
        lambda known: cut_further(setting, known, setting.recipe.scaled(strength)),
        Course(plan.schedule, 0, epochs),
    )


def cut_further(setting: Setting, known: Known, recipe: Recipe) -> Student:
    """Return the student with more removed, rated by its current weights.

    What is already removed counts as zero while the rest is rated, and is the first to be removed again.
    """
    subject = setting.model.subject if known.student is None else setting.weighted(known.state)
    if known.student is None:
        return setting.student(subject, recipe)
    scores = scores_for(Analysed(subject, setting.model.graph), recipe, setting.conditions.device)
    masks = cut(_gone_first(scores, known.student.masks), setting.model.graph.profile, recipe).masks
    return make_student(Analysed(subject, setting.model.graph), masks, setting.conditions.device)


def _gone_first(scores: Saliencies, gone: Masks) -> Saliencies:
    """Return scores in which everything removed before is lower than everything else."""
    return Saliencies(
        {name: _lowest(score, gone.channels.get(name)) for name, score in scores.channels.items()},
        {name: _lowest(score, gone.weights.get(name)) for name, score in scores.weights.items()},
    )


def _lowest(score: Tensor, mask: Tensor | None) -> Tensor:
    return score if mask is None else score.masked_fill(~mask, -math.inf)
