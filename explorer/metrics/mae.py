"""Numbers: the mean error."""

from torch import Tensor

from ..registry import METRICS
from ..values.metric import Metric
from .checks import ratio_of_two
from .losses import absolute_error
from .numbers import errors_of, summed


@METRICS.register("mae", rank=20)
def mae(*, unit: str = "") -> Metric:
    """Mean absolute error: how far outputs are from the truth, on average."""
    return Metric(
        "mae",
        "mean absolute error",
        _statistics,
        ratio_of_two,
        "lower",
        unit,
        0.02,
        True,
        loss=absolute_error,
        least=0,
    )


def _statistics(outputs: Tensor, targets: Tensor) -> Tensor:
    return summed(errors_of("mae", outputs, targets).abs())
