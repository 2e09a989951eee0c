"""What "good" means for a task: a number computed from statistics, one row per sample."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from ..errors import ExplorerError

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Scale:
    """How values of a metric are read; by default those of accuracy.

    Args:
        metric: its name.
        unit: "%" if values are fractions that are shown as per cent, otherwise a short word, or "".
        better: which direction is better.
    """

    metric: str = "accuracy"
    unit: str = "%"
    better: Better = "higher"

    @property
    def factor(self) -> int:
        """Return what a value is multiplied with where it is shown."""
        return 100 if self.unit == "%" else 1

    @property
    def sign(self) -> int:
        """Return 1 if higher is better, -1 if lower is, so that of sign * value more is always better."""
        return 1 if self.better == "higher" else -1


ACCURACY = Scale()


@dataclass(frozen=True, eq=False)
class Metric:
    """A number that says how well a model does its task.

    Rows of statistics are additive over samples, so a model can be measured in a stream, and the uncertainty
    of any metric comes from its rows alone.

    Args:
        name: as in the command line and JSON.
        title: for people.
        statistics: (outputs, targets) of one batch -> (samples, k) float64, each row from its own sample
            alone.
        value: (..., k) sums of rows -> (...). For a metric `of_rows`, which sums do not determine (such as
            mAP): (n, k) rows and (r, n) weights of the samples -> (r,).
        better: which direction is better.
        unit: "%" if the value is a fraction and shown as per cent, otherwise a short word, or "".
        margin: a smaller change has no practical importance, in the metric's own number; for a metric with
            `is_relative` it is a fraction of the dense model's value.
        needs: "targets", or "dense" if the dense model's outputs are the targets.
        loss: (outputs, targets) -> mean loss with which a model is usually trained for it.
        in_logs: the interval of one model is that of the logarithm, for values that are the exp of a mean: it
            is then positive, however few samples there are.
        least, most: the values between which it always is, such as 0 for an error that has no most; None: 0
            and 1 if the unit is "%", else no limit.
        of_scores: `statistics` and `loss` read scores, such as those before a softmax. Of a model that gives
            probabilities they get scores with the same probabilities.
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
    loss: Callable[[Any, Any], Tensor] | None = None
    in_logs: bool = False
    of_scores: bool = False
    least: float | None = None
    most: float | None = None

    def __post_init__(self) -> None:
        if self.better not in get_args(Better):
            raise ExplorerError(
                f"'better' of metric {str(self.name)[:80]!r} must be 'higher' or 'lower', got "
                f"{str(self.better)[:40]!r}."
            )

    @classmethod
    def mean(
        cls,
        name: str,
        of: Callable[[Any, Any], Tensor],
        *,
        better: Better = "higher",
        unit: str = "",
        margin: float = 0.01,
        least: float | None = None,
    ) -> "Metric":
        """Return a metric of your own that is a mean over samples: `of` gives one number per sample.

        Args:
            least: the value below which no sample can be, such as 0 for an error; None: no limit, but 0 and 1
                if the unit is "%" and higher is better.

        >>> error = Metric.mean("error", lambda outputs, targets: (outputs - targets).abs(), better="lower")
        >>> error.statistics(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0])).tolist()
        [[0.0, 1.0], [2.0, 1.0]]
        """

        def statistics(outputs: Any, targets: Any) -> Tensor:
            numbers = of(outputs, targets)
            if not isinstance(numbers, Tensor) or numbers.dim() != 1:
                shape = isinstance(numbers, Tensor) and f"shape {tuple(numbers.shape)}"
                raise ExplorerError(
                    f"Metric {name!r} must give one number per sample, a tensor of shape (samples,), got "
                    f"{shape or f'a {type(numbers).__name__}'}."
                )
            if numbers.is_complex():
                raise ExplorerError(f"Metric {name!r} must give real numbers, got complex ones.")
            numbers = numbers.detach().double()
            return torch.stack([numbers, torch.ones_like(numbers)], 1)

        most = None
        if unit == "%" and better == "lower":  # an error in per cent may be larger than 100 %
            least, most = -math.inf if least is None else least, math.inf
        title = name.replace("_", " ")
        return cls(name, title, statistics, _mean, better, unit, margin, least=least, most=most)

    @property
    def is_bounded(self) -> bool:
        """Whether its values are fractions from 0 to 1."""
        return self.limits == (0.0, 1.0)

    @property
    def limits(self) -> tuple[float, float]:
        """Return the least and the largest value that it can have; infinite if there is none."""
        least, most = (0.0, 1.0) if self.unit == "%" else (-math.inf, math.inf)
        return (least if self.least is None else self.least, most if self.most is None else self.most)


def _mean(sums: Tensor) -> Tensor:
    return sums[..., 0] / sums[..., 1].clamp_min(1e-300)
