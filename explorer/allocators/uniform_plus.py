"""Uniform, except for the first and the last part."""

from ..registry import ALLOCATORS
from ..values.profile import Scores
from .context import AllocationContext, Ratios, all_but_one, spread, unit_counts

LAST = 0.8


@ALLOCATORS.register("uniform_plus", rank=3, needs_scores=False, needs_scan=False)
def uniform_plus(scores: Scores, target: float, context: AllocationContext) -> Ratios:
    """The same ratio for all parts but the first, which stays dense, and a last linear one, which loses 80 %
    at most.

    (Gale et al. 2019, arXiv:1902.09574.) First and last are those of the model, even if they are locked.

    >>> import torch
    >>> from explorer.allocators.context import Part
    >>> parts = {"conv": Part("conv", (4, 1)), "mid": Part("conv", (8, 4)), "fc": Part("linear", (4, 8))}
    >>> context = AllocationContext(parts)
    >>> uniform_plus({"conv": torch.ones(10), "mid": torch.ones(50), "fc": torch.ones(40)}, 0.77, context)
    {'conv': 0.0, 'mid': 0.9, 'fc': 0.8}

    Raises:
        TargetError: the target asks for more than these limits allow.
    """
    units = unit_counts(scores)
    ends = list(context.parts)
    first, last = ends[0], ends[-1]
    highest = {part: 0.0 if part == first else all_but_one(n) for part, n in units.items()}
    if last in highest and last != first and context.parts[last].kind == "linear":
        highest[last] = min(highest[last], LAST)
    return spread("uniform_plus", target, units, dict.fromkeys(units, 1.0), highest)
