"""Recipes of different shapes that leave equally many parameters: random ones and those of allocators."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count, zip_longest

import torch

from ..allocators.context import TargetError
from ..graph.analysed import Analysed
from ..planning.allocate import allocate
from ..planning.allocation import Allocation
from ..planning.recipe_costs import CostModel
from ..pruning.checks import rates_weights
from ..registry import ALLOCATORS, CRITERIA
from ..values.choice import Choice
from ..values.granularity import WEIGHT, Graded
from ..values.recipe import Recipe

BISECTIONS = 16
HIGHEST = 0.95  # ratio of one part
NEAR = 0.03  # of the dense model's parameters: recipes that miss the target by more are left out
# those that needed no scan when the study of live numbers was declared
DECLARED = ("uniform", "global_threshold", "uniform_plus", "lamp", "erk")
RATED_BY = ("l1", "taylor", "fpgm", "random")  # criteria of the allocated recipes; weights have no fpgm


@dataclass(frozen=True)
class NamedRecipe:
    """A recipe with a name that says where its ratios come from.

    Args:
        left: parameters that are left and not zero, of those of the dense model.
    """

    name: str
    recipe: Recipe
    left: float


def near(
    model: Analysed, ratios: Callable[[float], Recipe], left: float, what: str = "params"
) -> tuple[Recipe, float] | None:
    """Return the recipe of a family that leaves nearly this share of the cost, and what it leaves exactly;
    None if none comes near it.

    Args:
        ratios: strength in [0, 1] -> recipe, removing more as it grows.
        what: "params" or "macs".
    """
    costs = CostModel.of(model)
    dense, low, high = costs.cost(Recipe(), what), 0.0, 1.0  # type: ignore[arg-type]
    best: tuple[float, Recipe, float] | None = None
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        try:
            recipe = ratios(middle)
        except TargetError:
            high = middle
            continue
        share = costs.cost(recipe, what) / dense  # type: ignore[arg-type]
        if best is None or abs(share - left) < best[0]:
            best = (abs(share - left), recipe, share)
        low, high = (middle, high) if share > left else (low, middle)
    return (best[1], best[2]) if best is not None and best[0] <= NEAR else None


def allocated(
    model: Analysed, recipe: Recipe, allocator: str, granularity: Graded, left: float
) -> tuple[Recipe, float] | None:
    """Return an allocator's recipe that leaves this share of the parameters; None if it cannot reach it."""

    def at(target: float) -> Recipe:
        return allocate(model, recipe, Allocation(Choice(allocator), target, granularity))

    return near(model, at, left)


def drawn(model: Analysed, recipe: Recipe, granularity: Graded, left: float, seed: int) -> NamedRecipe | None:
    """Return a recipe whose parts' ratios are in random proportion to each other."""
    parts = model.profile.parts(granularity)
    generator = torch.Generator().manual_seed(seed)
    shares = dict(zip(parts, torch.rand(len(parts), generator=generator).tolist(), strict=True))

    def at(strength: float) -> Recipe:
        # at a strength of 1 every part is at its limit
        grown = {part: min(HIGHEST, share * strength / (1.001 - strength)) for part, share in shares.items()}
        return recipe.with_ratios(granularity, grown)

    found = near(model, at, left)
    return NamedRecipe(f"random {seed}", *found) if found else None


def mixed(
    model: Analysed, granularity: Graded, left: float, allocators: Iterable[str] = DECLARED
) -> Iterator[NamedRecipe]:
    """Yield different recipes without end, random and allocated ones in turns as long as there are any of the
    latter; all leave nearly this share of the parameters.

    Args:
        allocators: which ones propose recipes, each with every criterion; those that need a scan propose
            none.
    """
    seen: set[str] = set()
    proposed = _allocated(model, granularity, left, allocators)
    for pair in zip_longest(_random(model, granularity, left), proposed):
        for named in pair:
            if named is not None and named.recipe.fingerprint not in seen:
                seen.add(named.recipe.fingerprint)
                yield named


def _random(model: Analysed, granularity: Graded, left: float) -> Iterator[NamedRecipe]:
    misses = 0
    for seed in count():
        named = drawn(model, Recipe(), granularity, left, seed)
        misses = 0 if named else misses + 1
        if misses > 100:
            return  # such as a single part with few units
        if named:
            yield named


def _allocated(
    model: Analysed, granularity: Graded, left: float, allocators: Iterable[str]
) -> Iterator[NamedRecipe]:
    names = [name for name in allocators if not ALLOCATORS[name].traits["needs_scan"]]
    for criterion in RATED_BY:
        if granularity == WEIGHT and not rates_weights(CRITERIA[criterion]):
            continue
        recipe = replace(Recipe(), criterion=Choice(criterion))
        for name in names:
            found = allocated(model, recipe, name, granularity, left)
            if found:
                yield NamedRecipe(f"{name}, {criterion}", *found)
