"""Erdős-Rényi-kernel densities."""

from math import prod

from ..registry import ALLOCATORS
from ..values.profile import Scores
from .context import AllocationContext, Ratios, all_but_one, spread, unit_counts


@ALLOCATORS.register("erk", rank=5, needs_scores=False, needs_scan=False)
def erk(scores: Scores, target: float, context: AllocationContext) -> Ratios:
    """Small layers lose less: density in proportion to the sum of a weight's dimensions over their product.

    Erdős-Rényi-kernel (Evci et al. 2020, arXiv:1911.11134). A part whose density would exceed 1 stays dense,
    and the others share the rest. Channels have the shape of the first layer that produces them.

    >>> import torch
    >>> from explorer.allocators.context import Part
    >>> context = AllocationContext({"a": Part("linear", (4, 4)), "b": Part("linear", (8, 8))})
    >>> ratios = erk({"a": torch.ones(4, 4), "b": torch.ones(8, 8)}, 0.7, context)
    >>> {part: round(ratio, 4) for part, ratio in ratios.items()}
    {'a': 0.5, 'b': 0.75}

    Raises:
        TargetError: the target leaves less than one unit per part.
    """
    units = unit_counts(scores)
    odds = {part: sum(context.parts[part].shape) / prod(context.parts[part].shape) for part in scores}
    return spread("erk", target, units, odds, {part: all_but_one(n) for part, n in units.items()})
