"""Turns an arm and x into a recipe on a model: which parts, and which ratios give what x asks for."""

from dataclasses import replace

from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..graph.export import ModelGraph
from ..planning.allocate import allocate
from ..planning.allocation import Allocation
from ..planning.known_latencies import timed_widths, widths_of
from ..planning.latency_plan import timed
from ..planning.recipe_costs import CostModel
from ..pruning.block_scores import lowest_blocks
from ..values.choice import Choice
from ..values.granularity import BLOCK, PLURALS, WEIGHT, Granularity
from ..values.progress import Returning, as_work, outcome
from ..values.recipe import Recipe
from .toml_table import LessonError
from .values import Arm, Experiment

CLOCKED = 7  # halvings if each is timed
HALVINGS = 14  # of the interval that contains the target: to 1/16,000
LARGEST = 0.9999


class UnreachableError(LessonError):
    """No recipe of an arm costs as much as that of the arm that it is to equal."""


def recipe_for(model: Analysed, experiment: Experiment, arm: Arm, x: float, device: str = "cpu") -> Recipe:
    """Return the recipe of this arm at x.

    Args:
        device: whose latency counts.
    Raises:
        ExplorerError: the model has no such parts.
        UnreachableError: no width is as fast as the arm that this one is to equal.
        UnmeasuredError: it depends on a latency that is not measured yet; see `recipe_steps`.
    """
    start = arm.recipe
    if arm.base:
        start = allocate(model, start, Allocation(Choice("uniform"), arm.base))
    if arm.equal_to:
        other = experiment.arm(arm.equal_to)
        costs = CostModel.of(model)
        like = recipe_for(model, experiment, other, x, device)
        if arm.equal_in == "latency":
            return _as_fast(model, arm, start, like, device)
        return _search(model, arm, start, arm.equal_in, costs.cost(like, arm.equal_in))  # type: ignore[arg-type]
    if arm.match == "units":
        return _spread(model, arm, start, x)
    costs = CostModel.of(model)
    return _search(model, arm, start, arm.match, (1 - x) * costs.cost(Recipe(), arm.match))  # type: ignore[arg-type]


def recipe_steps(
    model: Analysed, experiment: Experiment, arm: Arm, x: float, device: str = "cpu"
) -> Returning[Recipe]:
    """Return the recipe of this arm at x after measuring all times that it depends on."""
    return (yield from timed(model, lambda: recipe_for(model, experiment, arm, x, device), device))


def _as_fast(model: Analysed, arm: Arm, start: Recipe, like: Recipe, device: str) -> Recipe:
    """Return the recipe that removes least of those that were timed to be as fast as another one.

    Raises:
        UnreachableError: not even the narrowest model is as fast.
    """
    known = timed_widths(model.subject, device)

    def share(recipe: Recipe) -> float:
        return known.share(widths_of(model.profile, recipe))

    wanted, low, high = share(like), 0.0, LARGEST
    if share(_spread(model, arm, start, LARGEST)) > wanted:
        raise UnreachableError(
            f"The narrowest {model.subject.name} is still slower than one without these blocks, so there are "
            "no channels to compare them with at equal latency."
        )
    for _ in range(CLOCKED):
        middle = round((low + high) / 2, 4)
        low, high = (middle, high) if share(_spread(model, arm, start, middle)) > wanted else (low, middle)
    return _spread(model, arm, start, high)


def _spread(model: Analysed, arm: Arm, start: Recipe, target: float) -> Recipe:
    if arm.granularity == BLOCK:
        count = round(target * len(model.profile.free_blocks))
        lowest = lowest_blocks(model, count, Choice("block_influence"))
        return replace(start, blocks=outcome(as_work(lowest)))
    if arm.parts != "all":
        chosen = {part_of(model.graph, arm.granularity, role): target for role in arm.parts.split("+")}
        return start.with_ratios(arm.granularity, {**start.ratios(arm.granularity), **chosen})
    return allocate(model, start, Allocation(Choice(arm.allocator), target, arm.granularity))


def _search(model: Analysed, arm: Arm, start: Recipe, what: str, wanted: float) -> Recipe:
    """Return the recipe whose cost is nearest to the wanted cost; costs fall as the target rises."""
    costs = CostModel.of(model)
    best, low, high = start, 0.0, LARGEST
    for _ in range(HALVINGS):
        middle = round((low + high) / 2, 4)
        found = _spread(model, arm, start, middle)
        cost = costs.cost(found, what)  # type: ignore[arg-type]
        best = min(best, found, key=lambda recipe: abs(costs.cost(recipe, what) - wanted))  # type: ignore[arg-type]
        low, high = (middle, high) if cost > wanted else (low, middle)
    return best


def part_of(graph: ModelGraph, granularity: Granularity, role: str) -> str:
    """Return the part that has a role.

    Raises:
        LessonError: the model has nothing of this kind to prune.
    """
    profile = graph.profile
    if granularity == WEIGHT:
        sized = {name: layer.params for name, layer in profile.prunable_layers.items()}
    else:
        sized = {name: group.units for name, group in profile.free_groups.items()}
    if not sized:
        raise LessonError(f"This model has no {PLURALS[granularity]} that can be pruned.")
    names, places = list(sized), ("first", "second", "third")
    if role in places and len(names) <= places.index(role):
        raise LessonError(
            f"This model has {len(names)} parts that can be pruned, and the lesson needs a {role} one."
        )
    found = dict(zip(places, names, strict=False)) | {"last": names[-1]}
    by_size = {"largest": max(names, key=sized.__getitem__), "thinnest": min(names, key=sized.__getitem__)}
    return (found | by_size)[role]


def fits(graph: ModelGraph, experiment: Experiment) -> str | None:
    """Return why this experiment makes no sense on a model (two roles are the same part, which would be
    compared with itself), or None.
    """
    own = [arm for arm in experiment.arms if not arm.model]
    try:
        if any(arm.granularity == BLOCK for arm in own) and not graph.profile.free_blocks:
            return "This model has no residual block that can be removed."
        cut = [arm for arm in own if arm.parts != "all"]
        roles = dict.fromkeys((arm.granularity, role) for arm in cut for role in arm.parts.split("+"))
        parts = [(granularity, part_of(graph, granularity, role)) for granularity, role in roles]
    except ExplorerError as error:
        return str(error)
    return (
        "This lesson compares two parts that are one and the same in this model; choose another model."
        if len(set(parts)) < len(parts)
        else None
    )
