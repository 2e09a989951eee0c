"""Right answers to yes-or-no questions."""

from torch import Tensor

from ..registry import METRICS
from ..values.metric import Metric
from .checks import check_yes_or_no, counted, ratio_of_two, refuse, scores_of
from .losses import binary_cross_entropy


@METRICS.register("binary_accuracy", rank=5)
def binary_accuracy() -> Metric:
    """Share of right answers of a model with one score per sample: above 0 means yes."""
    return Metric(
        "binary_accuracy",
        "binary accuracy",
        _statistics,
        ratio_of_two,
        unit="%",
        loss=binary_cross_entropy,
        of_scores=True,
    )


def _statistics(outputs: Tensor, targets: Tensor) -> Tensor:
    scores = scores_of("binary_accuracy", outputs, (1, 2), "one score per sample")
    if scores.numel() != len(scores):
        raise refuse("binary_accuracy", "one score per sample", outputs)
    if not isinstance(targets, Tensor) or targets.numel() != len(scores):
        raise refuse("binary_accuracy", f"{len(scores)} targets, 0 or 1", targets)
    truth = targets.reshape(-1)
    check_yes_or_no("binary_accuracy", truth)
    known = scores.reshape(-1)
    return counted(((known > 0) == (truth > 0)) & ~known.isnan())
