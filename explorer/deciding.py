"""subject + recipe -> what is cut: scores, masks, and the ratios that an allocator proposes."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from .allocators.context import Losses, TargetError
from .background.jobs import Progress
from .graph.export import ModelGraph
from .machine.cache import Cache
from .masking import Cut, check_parts, check_rates_weights, cut, score
from .planning import context_for
from .registry import ALLOCATORS, CRITERIA
from .signals.calibration import Calibration
from .signals.collecting import check_data, collect, signals_of
from .values import Masks, Recipe, Scores, Subject, check_ratio

HIGHEST = 0.9999  # a ratio has four decimals
_scores = Cache(16, "scores of weights and channels", 512 * 2**20)


def scores_for(
    subject: Subject, graph: ModelGraph, recipe: Recipe, device: str = "cpu"
) -> dict[str, dict[str, Tensor]]:
    """Saliency of every part under the recipe's criterion, kept for the next recipe.

    Args:
        device: where training data is read, if the criterion needs it; the first time takes seconds (see
            `calibrate`).
    Returns: {"channels": group -> (units,), "weights": layer -> the weight's shape}.
    """
    task = subject.task.fingerprint if subject.task else None
    key = (subject.id, task, hash(recipe.criterion), recipe.reduction, recipe.seed, device)
    found = _scores.get(key)
    if found is None:
        signals = signals_of(
            subject, graph, CRITERIA[recipe.criterion.name], recipe.seed, Calibration(device=device)
        )
        found = _scores.put(key, score(graph.profile, recipe, signals))
    return found


def calibrate(subject: Subject, graph: ModelGraph, recipe: Recipe, device: str = "cpu") -> Iterator[Progress]:
    """Collect what the recipe's criterion needs, with progress; nothing happens if it needs nothing or all is
    known.

    Raises:
        ExplorerError: the criterion cannot rate this model, e.g. it needs training data and there is none.
    """
    criterion = CRITERIA[recipe.criterion.name]
    check_data(subject, criterion)
    yield from collect(subject, graph, criterion.traits["needs"], Calibration(device=device))


def decide(subject: Subject, graph: ModelGraph, recipe: Recipe, device: str = "cpu") -> Cut:
    """Masks and outcomes of a recipe.

    Raises:
        ExplorerError: the recipe names parts, criteria or parameters that do not exist here.
    """
    criterion = CRITERIA[recipe.criterion.name]
    criterion.check(recipe.criterion.params)
    check_parts(graph.profile, recipe)
    if recipe.is_empty:
        return Cut(Masks({}, {}), ())
    return cut(scores_for(subject, graph, recipe, device), graph.profile, recipe)


def masks_for(subject: Subject, graph: ModelGraph, recipe: Recipe) -> Masks:
    """The masks of a recipe: True = kept."""
    return decide(subject, graph, recipe).masks


def masks_once(subject: Subject, graph: ModelGraph, recipe: Recipe) -> Masks:
    """The same for one recipe alone: only its parts are rated and nothing is kept, which takes the least
    memory.

    Raises:
        ExplorerError: as in `decide`.
    """
    check_parts(graph.profile, recipe)
    signals = signals_of(subject, graph, CRITERIA[recipe.criterion.name], recipe.seed)
    scores = score(graph.profile, recipe, signals, {*recipe.channels, *recipe.remove, *recipe.weights})
    return cut(scores, graph.profile, recipe).masks


def allocate(
    subject: Subject,
    graph: ModelGraph,
    recipe: Recipe,
    name: str,
    target: float,
    granularity: str,
    locked: frozenset[str] = frozenset(),
    *,
    params: Mapping[str, Any] | None = None,
    losses: Losses | None = None,
    device: str = "cpu",
) -> Recipe:
    """The recipe with ratios chosen by an allocator; locked parts keep theirs.

    Args:
        target: fraction of all units of the unlocked parts that goes (sensitivity_budget: of the whole
            model's cost).
        granularity: "channel" or "weight".
        params: of the allocator.
        losses: how much the loss grows at each scanned ratio of each part, for allocators that need a scan.
    Raises:
        TargetError: the target cannot be reached.
        RecipeError: the criterion cannot rate weights.
    """
    allocator = ALLOCATORS[name]
    target, given = check_ratio(name, target), allocator.check(params or {})
    if granularity == "weight":
        check_rates_weights(CRITERIA[recipe.criterion.name])
    kept = {part: ratio for part, ratio in recipe.ratios(granularity).items() if part in locked}
    scores = _unit_scores(subject, graph, recipe, granularity, allocator.traits["needs_scores"], device)
    free = {part: score for part, score in scores.items() if part not in locked}
    context = context_for(
        subject, graph.profile, recipe.with_ratios(granularity, kept), granularity, losses, device
    )
    return recipe.with_ratios(granularity, {**kept, **allocator(free, target, context, **given)})


def reach(
    subject: Subject,
    graph: ModelGraph,
    recipe: Recipe,
    name: str,
    granularity: str,
    locked: frozenset[str] = frozenset(),
    *,
    params: Mapping[str, Any] | None = None,
    losses: Losses | None = None,
    device: str = "cpu",
) -> tuple[float, float]:
    """The lowest and the highest target that an allocator can meet; nothing is rated for it.

    Raises:
        ExplorerError: the allocator lacks something, such as a scan.
    """
    allocator = ALLOCATORS[name]
    kept = {part: ratio for part, ratio in recipe.ratios(granularity).items() if part in locked}
    free = {
        part: s
        for part, s in _unit_scores(subject, graph, recipe, granularity, False, device).items()
        if part not in locked
    }
    context = context_for(
        subject, graph.profile, recipe.with_ratios(granularity, kept), granularity, losses, device
    )
    try:
        allocator(free, 1.0, context, **allocator.check(params or {}))
    except TargetError as error:
        return error.low, error.high
    return 0.0, HIGHEST


def _unit_scores(
    subject: Subject, graph: ModelGraph, recipe: Recipe, granularity: str, needed: bool, device: str
) -> Scores:
    """Part -> saliency of its units; where it isn't needed, something of that shape that costs nothing."""
    if needed:
        return scores_for(subject, graph, recipe, device)[
            "channels" if granularity == "channel" else "weights"
        ]
    profile = graph.profile
    if granularity == "channel":
        return {name: torch.zeros(()).expand(group.units) for name, group in profile.free_groups.items()}
    return {name: torch.zeros(()).expand(layer.shape) for name, layer in profile.prunable_layers.items()}
