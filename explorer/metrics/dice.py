"""Masks: the Dice score."""

from torch import Tensor

from ..registry import METRICS
from ..values.metric import Metric
from .checks import mean_over_classes, share
from .losses import cross_entropy
from .overlap import overlaps


@METRICS.register("dice", rank=11)
def dice() -> Metric:
    """Mean over classes of the Dice score: twice the shared pixels, divided by those of model and truth."""
    return Metric("dice", "Dice score", _statistics, _value, unit="%", loss=cross_entropy, of_scores=True)


def _statistics(outputs: Tensor, targets: Tensor) -> Tensor:
    return overlaps("dice", outputs, targets)


def _value(sums: Tensor) -> Tensor:
    both, said, there = sums.chunk(3, -1)
    return mean_over_classes(share(2 * both, said + there), (said + there > 0).double())
