"""The least growth of the loss to second order, for each parameter that goes."""

from typing import Literal

from torch import Tensor

from ..errors import ExplorerError
from ..registry import ALLOCATORS
from ..values.made_when_asked import MadeWhenAsked
from ..values.profile import Scores
from .context import AllocationContext, Ratios, check_lowest, lowest, unit_counts


@ALLOCATORS.register("fisher", rank=7, needs_scores=True, needs_scan=False, scores_of="fisher")
def fisher(
    scores: Scores,
    target: float,
    context: AllocationContext,
    *,
    per: Literal["params", "macs", "unit"] = "params",
) -> Ratios:
    """One threshold on the expected growth of the loss per removed parameter: half of squared weights times
    squared gradients (Fisher pruning, Theis et al. 2018, arXiv:1801.05787).

    Units are compared by the criterion `fisher`, whichever criterion then chooses the units of a part: to
    second order the loss grows by half the sum of squared weight times squared gradient, averaged over
    training samples. As in the paper this is weighed against what a unit costs. Each part keeps its best
    unit.

    Args:
        per: what a unit costs: the "params" or "macs" that its part saves for each unit, or the same for each
            "unit".

    >>> import torch
    >>> scores = {"a": torch.tensor([1.0, 4.0, 9.0]), "b": torch.tensor([2.0, 2.0])}
    >>> fisher(scores, 0.4, AllocationContext(), per="unit")
    {'a': 0.3333333333333333, 'b': 0.5}

    Raises:
        TargetError: the target leaves less than one unit per part.
        ExplorerError: the cost of units is unknown.
    """
    units = unit_counts(scores)
    check_lowest("fisher", target, list(units.values()))  # before anything is rated
    costs = dict.fromkeys(units, 1.0) if per == "unit" else _costs(units, context, per)
    return lowest("fisher", MadeWhenAsked(scores, lambda part: _each(scores[part], costs[part])), target)


def _each(score: Tensor, cost: float) -> Tensor:
    return score.double() / cost


def _costs(
    units: dict[str, int], context: AllocationContext, per: Literal["params", "macs"]
) -> dict[str, float]:
    """Return what a unit of each part costs: what half of its units save alone, for each of them."""
    if context.cost is None:
        raise ExplorerError("fisher weighs units against their cost, which is unknown here; use per=unit.")
    dense = context.cost(per, dict.fromkeys(units, 0.0))
    costs = {}
    for part, n in units.items():
        gone = max(1, n // 2)
        saved = dense - context.cost(per, dict.fromkeys(units, 0.0) | {part: gone / n}) if n > 1 else 1.0
        costs[part] = max(saved / gone, 1e-12)
    return costs
