"""The same ratio everywhere."""

from ..registry import ALLOCATORS
from ..values.profile import Scores
from .context import AllocationContext, Ratios


@ALLOCATORS.register("uniform", rank=1, needs_scores=False, needs_scan=False)
def uniform(scores: Scores, target: float, context: AllocationContext) -> Ratios:
    """The same ratio for every part.

    >>> import torch
    >>> uniform({"a": torch.ones(4), "b": torch.ones(8)}, 0.5, AllocationContext())
    {'a': 0.5, 'b': 0.5}
    """
    return dict.fromkeys(scores, target)
