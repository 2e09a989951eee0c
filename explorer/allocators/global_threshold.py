"""One threshold for the whole model."""

from torch import Tensor

from ..registry import ALLOCATORS
from ..values.made_when_asked import MadeWhenAsked
from ..values.profile import Scores
from .context import AllocationContext, Ratios, lowest


@ALLOCATORS.register("global_threshold", rank=2, needs_scores=True, needs_scan=False)
def global_threshold(scores: Scores, target: float, context: AllocationContext) -> Ratios:
    """One threshold across all parts: the lowest fraction of all units is removed, wherever it is (Han et al.
    2015, arXiv:1506.02626).

    Channels are compared after division by their group's mean, since groups differ in size; single weights as
    they are. Each part keeps its best unit.

    >>> import torch
    >>> scores = {"a": torch.tensor([[1.0, 2.0]]), "b": torch.tensor([[3.0, 4.0]])}
    >>> [global_threshold(scores, target, AllocationContext()) for target in (0.25, 0.5)]
    [{'a': 0.5, 'b': 0.0}, {'a': 0.5, 'b': 0.5}]

    Raises:
        TargetError: the target leaves less than one unit per part.
    """
    comparable = MadeWhenAsked(scores, lambda part: _comparable(scores[part]))
    return lowest("global_threshold", comparable, target)


def _comparable(score: Tensor) -> Tensor:
    return score / score.mean().clamp(min=1e-12) if score.dim() == 1 else score
