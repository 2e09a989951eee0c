"""Agreement with the dense model: the size of the difference."""

from typing import Any

from torch import Tensor

from ..registry import METRICS
from ..values.metric import Metric
from .checks import ratio_of_two, rows
from .dense_outputs import side_by_side


@METRICS.register("relative_error", rank=53)
def relative_error() -> Metric:
    """Size of the outputs' change relative to the dense model's outputs: 0 is no change, 1 is as large as
    they are; needs no labels.
    """
    return Metric(
        "relative_error",
        "relative error against the dense model",
        _statistics,
        _value,
        "lower",
        margin=0.01,
        needs="dense",
        least=0,
    )


def _statistics(outputs: Any, dense: Any) -> Tensor:
    ours, theirs = side_by_side("relative_error", outputs, dense)
    return rows((ours - theirs).square().sum(1), theirs.square().sum(1))


def _value(sums: Tensor) -> Tensor:
    return ratio_of_two(sums).sqrt()
