"""Masks: intersection over union."""

from torch import Tensor

from ..registry import METRICS
from ..values.metric import Metric
from .checks import mean_over_classes, share
from .losses import cross_entropy
from .overlap import overlaps


@METRICS.register("mean_iou", rank=10)
def mean_iou() -> Metric:
    """Mean over classes of intersection over union: of all pixels that the model or the truth assigns to a
    class, the share that both give it.
    """
    return Metric("mean_iou", "mean IoU", _statistics, _value, unit="%", loss=cross_entropy, of_scores=True)


def _statistics(outputs: Tensor, targets: Tensor) -> Tensor:
    return overlaps("mean_iou", outputs, targets)


def _value(sums: Tensor) -> Tensor:
    both, said, there = sums.chunk(3, -1)
    union = said + there - both
    return mean_over_classes(share(both, union), (union > 0).double())
