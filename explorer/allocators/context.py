"""What allocators share: what they know, which targets can be reached, and how a total is spread over
parts.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import chain
from math import prod
from typing import Literal

import torch
from torch import Tensor

from ..errors import RecipeError
from ..signals.lowest import PIECE, kth_lowest
from ..values.profile import Scores

Counted = Literal["params", "macs", "bytes"]
What = Literal["params", "macs", "bytes", "latency"]
Ratios = Mapping[str, float]
Losses = Mapping[
    str, Sequence[tuple[float, float]]
]  # part -> (ratio, how much the loss grows), ratios rising


class TargetError(RecipeError):
    """A target that no ratios can reach; `low` and `high` are the limits of the reachable targets."""

    def __init__(self, name: str, target: float, low: float, high: float):
        self.low, self.high = low, high
        reach = f"choose a target from {100 * low:.4g} to {100 * high:.4g} %."
        super().__init__(f"{name} cannot reach {100 * target:.4g} % here: {reach}")


@dataclass(frozen=True)
class Part:
    """Facts about a part besides its scores.

    Args:
        kind: of the layer that produces it: conv, linear, ...
        shape: of that layer's weight, (out, in, *kernel).
    """

    kind: str
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class AllocationContext:
    """What an allocator may know besides scores.

    Args:
        parts: every part of the granularity in the order of the graph, including locked ones.
        cost: ("params", "macs", "bytes" or "latency", part -> ratio) -> cost of the whole model with all
            other ratios unchanged; latency is measured, in units of the dense model's.
        losses: how much the loss grows when a part alone is pruned to a ratio, from a sensitivity scan.
    """

    parts: Mapping[str, Part] = field(default_factory=dict)
    cost: Callable[[What, Ratios], float] | None = None
    losses: Losses | None = None


def check_target(name: str, target: float, units: Sequence[int], highest: Sequence[float]) -> None:
    """Check that the highest ratios reach the target.

    Args:
        units, highest: of each part, and the highest ratio that it may get.
    Raises:
        TargetError: even the highest ratios miss the target by more than one unit.
    """
    total = sum(units)
    high = sum(n * r for n, r in zip(units, highest, strict=True)) / max(1, total)
    if target * total > high * total + 1:
        raise TargetError(name, target, 0.0, high)


def check_lowest(name: str, target: float, units: Sequence[int]) -> None:
    """Check the target if every part may be pruned down to its best unit.

    Raises:
        TargetError: only the best units are left before the target is reached.
    """
    check_target(name, target, units, [all_but_one(n) for n in units])


def all_but_one(units: int) -> float:
    """Return the highest ratio of a part, which keeps one unit.

    >>> all_but_one(4)
    0.75
    """
    return (units - 1) / units if units else 0.0


def spread(
    name: str, target: float, units: Mapping[str, int], odds: Mapping[str, float], highest: Ratios
) -> dict[str, float]:
    """Return ratios whose densities are in proportion to `odds`, as far as their limits allow, and which meet
    the target together.

    Found by bisection on the factor between odds and densities: the density grows with it.

    >>> spread("even", 0.5, {"a": 10, "b": 10}, {"a": 1.0, "b": 1.0}, {"a": 0.0, "b": 0.9})
    {'a': 0.0, 'b': 0.9}

    Raises:
        TargetError: the highest ratios miss it by more than one unit.
    """
    check_target(name, target, list(units.values()), [highest[part] for part in units])
    wanted = (1 - target) * sum(units.values())

    def densities(factor):
        return {p: min(1.0, max(1 - highest[p], factor * odds[p])) for p in units}

    low, high = 0.0, 1 / min(odds[part] for part in units) if units else 0.0
    for _ in range(100):
        middle = (low + high) / 2
        left = sum(n * d for n, d in zip(units.values(), densities(middle).values(), strict=True))
        low, high = (middle, high) if left < wanted else (low, middle)
    return {part: min(highest[part], 1 - density) for part, density in densities(high).items()}


def lowest(name: str, values: Mapping[str, Tensor], target: float) -> dict[str, float]:
    """Return ratios that remove the lowest fraction of all units, wherever they are, but keep the best unit
    of each part.

    Args:
        values: part -> comparable values of its units.
    Raises:
        TargetError: only the best units are left before the target is reached.
    """
    units = unit_counts(values)
    check_lowest(name, target, list(units.values()))
    count = min(round(target * sum(units.values())), sum(units.values()) - len(units))
    if count < 1:
        return dict.fromkeys(units, 0.0)
    best = {part: (int(v.argmax()), v.dtype) for part, v in values.items()}
    dtype = reduce(torch.promote_types, (own for _, own in best.values()))

    def read(part):
        return _protected(values[part].flatten().to(dtype), best[part][0])

    threshold = kth_lowest(lambda: chain.from_iterable(map(read, units)), count, dtype)
    places = {part: _below_and_equal(read(part), threshold) for part in units}
    left, ratios = count - sum(below for below, _ in places.values()), {}
    for part, (below, equal) in places.items():  # of those equal to the threshold, the earlier ones
        taken = min(left, equal)
        left -= taken
        ratios[part] = (below + taken) / units[part]
    return ratios


def _below_and_equal(pieces: Iterable[Tensor], threshold: Tensor) -> tuple[int, int]:
    """How many values are below a threshold, and how many are equal to it."""
    below = equal = 0
    for piece in pieces:
        below += int((piece < threshold).sum())
        equal += int((piece == threshold).sum())
    return below, equal


def _protected(values: Tensor, best: int) -> Iterator[Tensor]:
    """Yield pieces of (n,) values, in which the best is infinite and therefore removed last."""
    for start in range(0, len(values), PIECE):
        piece = values[start : start + PIECE]
        yield (
            piece.index_fill(0, torch.tensor(best - start), torch.inf) if 0 <= best - start < PIECE else piece
        )


def unit_counts(scores: Scores) -> dict[str, int]:
    """Return how many units each part has."""
    return {part: prod(score.shape) for part, score in scores.items()}
