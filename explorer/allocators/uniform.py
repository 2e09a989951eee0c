"""The same ratio everywhere."""

from collections.abc import Mapping

from ..registry import ALLOCATORS
from ..values import Scores


@ALLOCATORS.register("uniform", rank=1, needs_scores=False)
def uniform(scores: Scores, target: float) -> Mapping[str, float]:
    """The same ratio for every part.

    >>> import torch
    >>> uniform({"a": torch.ones(4), "b": torch.ones(8)}, 0.5)
    {'a': 0.5, 'b': 0.5}
    """
    return dict.fromkeys(scores, target)
