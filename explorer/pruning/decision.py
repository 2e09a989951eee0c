"""subject + recipe -> what is cut: scores, masks, and their outcomes."""

from math import prod
from typing import Never

from ..graph.analysed import Analysed
from ..machine.cache import Cache
from ..registry import CRITERIA
from ..signals.calibration import Calibration
from ..signals.collection import check_data, collect, signals_of
from ..values.granularity import CHANNEL, WEIGHT, Graded
from ..values.made_when_asked import MadeWhenAsked
from ..values.profile import Masks, Saliencies, Scores
from ..values.progress import Work
from ..values.recipe import Recipe
from .cutting import Cut, cut
from .scoring import score, score_channels, score_weights

_scores = Cache(32, "scores of weights and channels", 512 * 2**20)
LARGE = 2**24  # weights; of a model with more, what a criterion sees in the weights alone is not kept


def scores_for(model: Analysed, recipe: Recipe, device: str = "cpu") -> Saliencies:
    """Return the saliency of every part under the recipe's criterion, computed when it is read and cached for
    the next recipe; what is as large as the weights, and as quickly computed again, is not cached.

    Args:
        device: where training data is read, if the criterion needs it; the first time takes seconds (see
            `calibrate`).
    """
    criterion = CRITERIA[recipe.criterion.name]
    signals = signals_of(model, criterion, recipe.seed, Calibration(device=device))
    task = model.subject.task.fingerprint if model.subject.task else None
    key = (model.subject.id, task, hash(recipe.criterion), recipe.reduction, recipe.seed, device)
    total = sum(prod(layer.shape) for layer in model.profile.prunable_layers.values())
    keep_weights = total <= LARGE or bool(criterion.traits["needs"])
    weights = score_weights(model.profile, recipe, signals)

    def rated(kind: Graded) -> Scores:
        found: Scores | None = _scores.get((kind, *key))
        if found is not None:
            return found
        if kind == CHANNEL:
            return _scores.put((kind, *key), score_channels(model.profile, recipe, signals))
        return _scores.put((kind, *key), dict(weights)) if keep_weights else weights

    return Saliencies(
        MadeWhenAsked(model.profile.free_groups, lambda name: rated(CHANNEL)[name]),
        MadeWhenAsked(weights, lambda name: rated(WEIGHT)[name]),
    )


def calibrate(model: Analysed, recipe: Recipe, device: str = "cpu") -> Work[Never]:
    """Collect what the recipe's criterion needs, with progress; does nothing if it needs nothing or
    everything is known.

    Raises:
        ExplorerError: the criterion cannot rate this model, e.g. it needs training data and there is none.
    """
    criterion = CRITERIA[recipe.criterion.name]
    check_data(model.subject, criterion)
    yield from collect(model, criterion.traits["needs"], Calibration(device=device))


def decide(model: Analysed, recipe: Recipe, device: str = "cpu") -> Cut:
    """Return the masks and outcomes of a recipe that fits the model (see `checks`)."""
    if recipe.is_empty:
        return Cut(Masks({}, {}), ())
    return cut(scores_for(model, recipe, device), model.profile, recipe)


def masks_for(model: Analysed, recipe: Recipe) -> Masks:
    """Return the masks of a recipe: True = kept."""
    return decide(model, recipe).masks


def masks_once(model: Analysed, recipe: Recipe) -> Masks:
    """Return the masks of one recipe with the least memory: only its parts are rated; nothing is cached."""
    signals = signals_of(model, CRITERIA[recipe.criterion.name], recipe.seed)
    scores = score(model.profile, recipe, signals, {*recipe.channels, *recipe.remove, *recipe.weights})
    return cut(scores, model.profile, recipe).masks
