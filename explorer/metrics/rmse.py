"""Numbers: the typical error, large ones first."""

from torch import Tensor

from ..registry import METRICS
from ..values.metric import Metric
from .checks import ratio_of_two
from .losses import squared_error
from .numbers import errors_of, summed


@METRICS.register("rmse", rank=21)
def rmse(*, unit: str = "") -> Metric:
    """Root of the mean squared error; large errors count more than in the mean absolute error."""
    return Metric(
        "rmse",
        "root mean squared error",
        _statistics,
        _value,
        "lower",
        unit,
        0.02,
        True,
        loss=squared_error,
        least=0,
    )


def _statistics(outputs: Tensor, targets: Tensor) -> Tensor:
    return summed(errors_of("rmse", outputs, targets).square())


def _value(sums: Tensor) -> Tensor:
    return ratio_of_two(sums).sqrt()
