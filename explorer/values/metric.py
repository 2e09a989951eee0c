"""What "good" means for a task: a number that is the value of statistics, one row a sample."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

Better = Literal["higher", "lower"]


@dataclass(frozen=True, eq=False)
class Metric:
    """A number that says how well a model does its task.

    Rows of statistics are additive over samples, so a model can be measured in a stream, and the uncertainty
    of any metric comes from its rows alone.

    Args:
        name: as the command line and JSON call it.
        title: as a person calls it.
        statistics: (outputs, targets) of one batch -> (samples, k) float64, each row of its own sample alone.
        value: (..., k) sums of rows -> (...). Of a metric `of_rows`, which no sum decides (such as mAP):
            (n, k) rows and (r, n) weights of the samples -> (r,).
        better: which way is better.
        unit: "%" where the value is a fraction and shown as per cent, else a short word, or "".
        margin: a change smaller than this is of no practical interest, in the metric's own number; of a
            metric with `is_relative` it is a fraction of the dense model's value.
        needs: "targets", or "dense" where the dense model's outputs are the targets.
    """

    name: str
    title: str
    statistics: Callable[[Any, Any], Tensor]
    value: Callable[..., Tensor]
    better: Better = "higher"
    unit: str = ""
    margin: float = 0.01
    is_relative: bool = False
    of_rows: bool = False
    needs: Literal["targets", "dense"] = "targets"

    @property
    def is_bounded(self) -> bool:
        return self.unit == "%"
