"""Numbers: how much of their spread is explained."""

import torch
from torch import Tensor

from ..registry import METRICS
from ..values.metric import Metric
from .checks import rows, share
from .losses import squared_error
from .numbers import pair_of


@METRICS.register("r2", rank=22)
def r2() -> Metric:
    """Share of the targets' variance that the answers explain; 0 is as good as always saying the mean."""
    return Metric("r2", "R²", _statistics, _value, loss=squared_error, most=1)


def _statistics(outputs: Tensor, targets: Tensor) -> Tensor:
    said, truth = pair_of("r2", outputs, targets)
    return rows((said - truth).square(), truth, truth.square(), torch.ones_like(truth))


def _value(sums: Tensor) -> Tensor:
    """Return the mean over the predicted numbers; 0 if targets do not vary."""
    error, total, squares, samples = sums.chunk(4, -1)
    spread = squares - share(total.square(), samples)
    return torch.where(spread > 1e-12 * squares, 1 - share(error, spread), torch.zeros_like(error)).mean(-1)
