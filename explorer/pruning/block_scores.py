"""Residual blocks -> one number each, under a criterion of blocks."""

from collections.abc import Mapping

from ..errors import RecipeError
from ..graph.analysed import Analysed
from ..registry import BLOCK_CRITERIA
from ..signals.block_signals import BlockSignals, block_cosines
from ..values.choice import Choice
from ..values.progress import Returning, Step, Work


def block_scores(
    model: Analysed, choice: Choice, seed: int = 0, device: str = "cpu"
) -> Work[Mapping[str, float]]:
    """Yield Progress while signals are collected, and at the end removable block -> its number, in the order
    of the graph.

    Raises:
        ExplorerError: there is no such criterion, or it lacks data.
    """
    criterion = BLOCK_CRITERIA[choice.name]
    params = criterion.check(choice.params)
    cosines: Mapping[str, float] = {}
    if "cosine" in criterion.traits["needs"]:
        for step in block_cosines(model, device):
            cosines = step.value or cosines
            yield Step(progress=step.progress)
    signals = [BlockSignals(name, seed, cosines.get(name)) for name in model.profile.free_blocks]
    yield Step({one.name: criterion(one, **params) for one in signals})


def lowest_blocks(
    model: Analysed, count: int, choice: Choice, seed: int = 0, device: str = "cpu"
) -> Returning[tuple[str, ...]]:
    """Return the blocks with the lowest numbers; of equal ones the earlier.

    Raises:
        RecipeError: there are fewer removable blocks.
    """
    most = len(model.profile.free_blocks)
    if not 0 <= count <= most:
        raise RecipeError(f"This model has {most} removable blocks; choose from 0 to {most}, got {count}.")
    scores: Mapping[str, float] = {}
    for step in block_scores(model, choice, seed, device):
        scores = step.value or scores
        yield Step(progress=step.progress)
    return tuple(sorted(scores, key=lambda name: scores[name])[:count])
