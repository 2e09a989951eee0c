"""Layer-adaptive magnitudes."""

import torch
from torch import Tensor

from ..registry import ALLOCATORS
from ..values.profile import Scores
from .context import AllocationContext, Ratios, check_lowest, lowest, unit_counts


@ALLOCATORS.register("lamp", rank=4, needs_scores=True, needs_scan=False)
def lamp(scores: Scores, target: float, context: AllocationContext) -> Ratios:
    """One threshold on each unit's share of what is left of its part once all smaller units are removed.

    Layer-adaptive magnitudes (Lee et al. 2021, arXiv:2010.07611). The share is that of squared scores, so
    that with l1 it is the paper's. The largest unit of a part has share 1 and is kept.

    >>> lamp({"a": torch.tensor([1.0, 2.0, 3.0]), "b": torch.tensor([10.0, 10.0])}, 0.4, AllocationContext())
    {'a': 0.6666666666666666, 'b': 0.0}

    Raises:
        TargetError: the target leaves less than one unit per part.
    """
    check_lowest("lamp", target, list(unit_counts(scores).values()))  # before anything is sorted
    return lowest("lamp", {part: shares(score) for part, score in scores.items()}, target)


def shares(score: Tensor) -> Tensor:
    """Return (units,) squared scores, each divided by the sum of the squares that are not smaller.

    >>> shares(torch.tensor([2.0, 1.0]))
    tensor([1.0000, 0.2000], dtype=torch.float64)
    """
    squares, order = score.flatten().double().square().sort(stable=True)
    left = squares.flip(0).cumsum(0).flip(0)
    return torch.empty_like(squares).index_copy_(0, order, squares / left.clamp(min=1e-300))
