"""The smallest loss for a given saving."""

from collections.abc import Callable, Mapping, Sequence

import torch

from ..errors import ExplorerError
from ..registry import ALLOCATORS
from ..values.profile import Scores
from .context import AllocationContext, Losses, Ratios, TargetError, What, unit_counts

BINS = 2000  # into which savings are rounded down
ROUNDS = 30
Options = Mapping[
    str, Sequence[tuple[float, float, float]]
]  # part -> (ratio, what it saves alone, how much the loss grows)


@ALLOCATORS.register("sensitivity_budget", rank=6, needs_scores=False, needs_scan=True)
def sensitivity_budget(
    scores: Scores, target: float, context: AllocationContext, *, saves: What = "params"
) -> Ratios:
    """The least predicted loss for a saving of parameters, MACs, bytes or measured latency, from a
    sensitivity scan (knapsack).

    Each part takes one of its scanned ratios; growths of the loss are assumed to add up, which is only
    roughly true: check the result. Solved by dynamic programming on what each part saves alone. Savings of
    neighbouring channels overlap, so the budget is raised until the count (or the clock) for all parts
    together meets the target, and any excess saving is given back.

    Args:
        target: fraction of the whole model's cost that is removed, including locked parts; the other
            granularity stays as it is.
    Raises:
        ExplorerError: there is no scan.
        TargetError: the scanned ratios cannot reach the target.
    """
    if context.losses is None or context.cost is None:
        raise ExplorerError(
            "sensitivity_budget plans with a sensitivity scan, and there is none yet; run the scan first."
        )
    cost, none = context.cost, dict.fromkeys(scores, 0.0)
    dense = cost(saves, dict.fromkeys(context.parts, 0.0))

    def saved(ratios):
        return dense - cost(saves, {**none, **ratios})

    def enough(ratios):
        return saved(ratios) >= target * dense

    losses = {
        part: [(0.0, 0.0), *((r, g) for r, g in context.losses.get(part, ()) if r > 0)] for part in scores
    }
    low = saved({})
    # a clock may find that a narrower part is no faster, or slower: then it saves nothing
    options = {
        part: [(r, max(0.0, saved({part: r}) - low), g) for r, g in points] for part, points in losses.items()
    }
    most = {part: max(points, key=lambda option: option[1])[0] for part, points in options.items()}
    high = saved(most)
    if not low <= target * dense <= high:
        raise TargetError("sensitivity_budget", target, max(0.0, low / dense), max(0.0, high / dense))
    plan = _raised(options, enough, target * dense - low, most)
    return _relaxed(plan, losses, unit_counts(scores), enough)


def _raised(
    options: Options, enough: Callable[[Ratios], bool], saving: float, most: Ratios
) -> dict[str, float]:
    """Return the cheapest of the plans for growing budgets that saves enough; `most` is the last resort."""
    low, high = saving, sum(max(save for _, save, _ in points) for points in options.values())
    best = dict(most)
    for _ in range(ROUNDS):
        plan = knapsack(options, low)
        if enough(plan):
            return plan
        middle = (low + high) / 2
        plan = knapsack(options, middle)
        if enough(plan):
            best, high = plan, middle
        else:
            low = middle
    return best


def knapsack(options: Options, saving: float) -> dict[str, float]:
    """Return one ratio per part so that their separate savings add up to `saving`, at the least growth of the
    loss.

    Savings are rounded down to 1/2000 of `saving`, so that a plan never saves less than it claims, unless no
    plan can.

    >>> parts = {"a": [(0.0, 0, 0.0), (0.5, 10, 1.0)], "b": [(0.0, 0, 0.0), (0.5, 10, 3.0), (0.9, 18, 3.5)]}
    >>> knapsack(parts, 10), knapsack(parts, 18)
    ({'a': 0.5, 'b': 0.0}, {'a': 0.0, 'b': 0.9})
    """
    if saving <= 0:
        return {part: points[0][0] for part, points in options.items()}
    best = torch.full(
        (BINS + 1,), torch.inf, dtype=torch.float64
    )  # number of bins saved at least -> least growth
    best[0] = 0
    choices = []
    for points in options.values():
        tried = torch.stack(
            [_shifted(best, int(save / saving * BINS + 1e-9)) + growth for _, save, growth in points]
        )
        best, choice = tried.min(0)
        choices.append(choice)
    plan, bin_ = {}, int(torch.isfinite(best).nonzero().max())
    for (part, points), choice in zip(list(options.items())[::-1], choices[::-1], strict=True):
        ratio, save, _ = points[int(choice[bin_])]
        plan[part], bin_ = ratio, max(0, bin_ - int(save / saving * BINS + 1e-9))
    return {part: plan[part] for part in options}


def _shifted(best: torch.Tensor, bins: int) -> torch.Tensor:
    """Return the least growth with `bins` saved in addition; more than the budget counts as the budget."""
    if bins == 0:
        return best
    bins = min(bins, BINS)
    return torch.cat([best[:1].expand(bins), best[: BINS + 1 - bins]])


def _relaxed(
    plan: dict[str, float], losses: Losses, units: Mapping[str, int], enough: Callable[[Ratios], bool]
) -> dict[str, float]:
    """Reduce ratios part by part while the plan saves more than needed, starting with those whose last step
    costs most.
    """
    steps = {
        part: [r for r, _ in points if r < plan[part]] for part, points in losses.items() if plan[part] > 0
    }
    hurt = {
        part: dict(losses[part])[plan[part]] - dict(losses[part])[below[-1]] for part, below in steps.items()
    }
    for part in sorted(hurt, key=lambda p: -hurt[p]):
        low, high = round(steps[part][-1] * units[part]), round(plan[part] * units[part])  # units removed
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if enough({**plan, part: middle / units[part]}) else (middle + 1, high)
        plan = {**plan, part: min(plan[part], high / units[part])}
    return plan
