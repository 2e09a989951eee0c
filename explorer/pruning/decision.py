"""subject + recipe -> what is cut: scores, masks, and their outcomes."""

from typing import Never

from ..graph.analysed import Analysed
from ..machine.cache import Cache
from ..registry import CRITERIA
from ..signals.calibration import Calibration
from ..signals.collection import check_data, collect, signals_of
from ..values.profile import Masks, Saliencies
from ..values.progress import Work
from ..values.recipe import Recipe
from .checks import check_parts
from .cutting import Cut, cut
from .scoring import score

_scores = Cache(16, "scores of weights and channels", 512 * 2**20)


def scores_for(model: Analysed, recipe: Recipe, device: str = "cpu") -> Saliencies:
    """Return the saliency of every part under the recipe's criterion, cached for the next recipe.

    Args:
        device: where training data is read, if the criterion needs it; the first time takes seconds (see
            `calibrate`).
    """
    task = model.subject.task.fingerprint if model.subject.task else None
    key = (model.subject.id, task, hash(recipe.criterion), recipe.reduction, recipe.seed, device)
    known: Saliencies | None = _scores.get(key)
    if known is not None:
        return known
    signals = signals_of(model, CRITERIA[recipe.criterion.name], recipe.seed, Calibration(device=device))
    return _scores.put(key, score(model.profile, recipe, signals))


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
    """Return the masks and outcomes of a recipe.

    Raises:
        ExplorerError: the recipe names parts, criteria or parameters that do not exist here.
    """
    criterion = CRITERIA[recipe.criterion.name]
    criterion.check(recipe.criterion.params)
    check_parts(model.profile, recipe)
    if recipe.is_empty:
        return Cut(Masks({}, {}), ())
    return cut(scores_for(model, recipe, device), model.profile, recipe)


def masks_for(model: Analysed, recipe: Recipe) -> Masks:
    """Return the masks of a recipe: True = kept."""
    return decide(model, recipe).masks


def masks_once(model: Analysed, recipe: Recipe) -> Masks:
    """Return the masks of one recipe with the least memory: only its parts are rated, and nothing is cached.

    Raises:
        ExplorerError: as in `decide`.
    """
    check_parts(model.profile, recipe)
    signals = signals_of(model, CRITERIA[recipe.criterion.name], recipe.seed)
    scores = score(model.profile, recipe, signals, {*recipe.channels, *recipe.remove, *recipe.weights})
    return cut(scores, model.profile, recipe).masks
