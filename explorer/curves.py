"""A family of recipes -> Reports: accuracy against what the model costs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from .engine import Conditions, prune
from .graph.export import ModelGraph
from .values import Recipe, Report, Subject

QUICK = Conditions(samples=512)
STRENGTHS = tuple(i / 8 for i in range(9))


def spread_order(strengths: Sequence[float]) -> list[float]:
    """Ends first, then the middles of the widest gaps: each further point tells most.

    >>> spread_order([0, 0.25, 0.5, 0.75, 1])
    [0, 1, 0.5, 0.25, 0.75]
    """
    left = sorted(strengths)
    order = [left.pop(0), *([left.pop()] if left else [])]
    while left:
        widest = max(left, key=lambda s: (min(abs(s - done) for done in order), -s))
        left.remove(widest)
        order.append(widest)
    return order


def sweep(subject: Subject, graph: ModelGraph, recipes: Sequence[Recipe], conditions: Conditions) -> Iterator[tuple[Report, ...]]:
    """Measure each recipe; yields all Reports so far. Latency is left out: it would keep the first points waiting."""
    reports: list[Report] = []
    for recipe in recipes:
        reports.append(prune(subject, graph, recipe, replace(conditions, latency=False)))
        yield tuple(reports)


def strength_curve(
    subject: Subject, graph: ModelGraph, recipe: Recipe, conditions: Conditions = QUICK, strengths: Sequence[float] = STRENGTHS
) -> Iterator[tuple[Report, ...]]:
    """The current profile from dense to its full strength, ends first; Reports come in the order of their strength."""
    done: dict[float, Report] = {}
    order = spread_order(strengths)
    for strength, reports in zip(order, sweep(subject, graph, [recipe.scaled(s) for s in order], conditions), strict=True):
        done[strength] = reports[-1]
        yield tuple(done[s] for s in sorted(done))
