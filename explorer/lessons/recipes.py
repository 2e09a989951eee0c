"""Turns an arm and x into a recipe on a model: which parts, and which ratios give what x asks for."""

from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..graph.export import ModelGraph
from ..planning.allocate import allocate
from ..planning.allocation import Allocation
from ..planning.recipe_costs import CostModel
from ..values.choice import Choice
from ..values.recipe import Recipe
from .toml_table import LessonError
from .values import Arm, Experiment

HALVINGS = 14  # of the interval that contains the target: to 1/16,000
LARGEST = 0.9999


def recipe_for(model: Analysed, experiment: Experiment, arm: Arm, x: float) -> Recipe:
    """Return the recipe of this arm at x.

    Raises:
        ExplorerError: the model has no such parts.
    """
    start = arm.recipe
    if arm.base:
        start = allocate(model, start, Allocation(Choice("uniform"), arm.base))
    if arm.equal_to:
        other = experiment.arm(arm.equal_to)
        costs = CostModel.of(model.subject, model.profile)
        wanted = costs.cost(recipe_for(model, experiment, other, x), "params")
        return _search(model, arm, start, "params", wanted)
    if arm.match == "units":
        return _spread(model, arm, start, x)
    costs = CostModel.of(model.subject, model.profile)
    return _search(model, arm, start, arm.match, (1 - x) * costs.cost(Recipe(), arm.match))  # type: ignore[arg-type]


def _spread(model: Analysed, arm: Arm, start: Recipe, target: float) -> Recipe:
    if arm.parts != "all":
        chosen = {part_of(model.graph, arm.granularity, role): target for role in arm.parts.split("+")}
        return start.with_ratios(arm.granularity, {**start.ratios(arm.granularity), **chosen})
    return allocate(model, start, Allocation(Choice(arm.allocator), target, arm.granularity))


def _search(model: Analysed, arm: Arm, start: Recipe, what: str, wanted: float) -> Recipe:
    """Return the recipe whose cost is nearest to the wanted cost; costs fall as the target rises."""
    costs = CostModel.of(model.subject, model.profile)
    best, low, high = start, 0.0, LARGEST
    for _ in range(HALVINGS):
        middle = round((low + high) / 2, 4)
        found = _spread(model, arm, start, middle)
        cost = costs.cost(found, what)  # type: ignore[arg-type]
        best = min(best, found, key=lambda recipe: abs(costs.cost(recipe, what) - wanted))  # type: ignore[arg-type]
        low, high = (middle, high) if cost > wanted else (low, middle)
    return best


def part_of(graph: ModelGraph, granularity: str, role: str) -> str:
    """Return the part that has a role.

    Raises:
        LessonError: the model has nothing of this kind to prune.
    """
    profile = graph.profile
    if granularity == "weight":
        sized = {name: layer.params for name, layer in profile.prunable_layers.items()}
    else:
        sized = {name: group.units for name, group in profile.free_groups.items()}
    if not sized:
        raise LessonError(f"This model has no {granularity}s that can be pruned.")
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
    try:
        cut = [arm for arm in experiment.arms if arm.parts != "all"]
        roles = dict.fromkeys((arm.granularity, role) for arm in cut for role in arm.parts.split("+"))
        parts = [(granularity, part_of(graph, granularity, role)) for granularity, role in roles]
    except ExplorerError as error:
        return str(error)
    return "Two of the compared parts are one and the same here." if len(set(parts)) < len(parts) else None
