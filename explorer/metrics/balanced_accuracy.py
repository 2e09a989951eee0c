"""Right answers, with every class counted equally."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ..registry import METRICS
from ..values.metric import Metric
from .checks import best_class, class_targets, mean_over_classes, rows, scores_of, share
from .losses import cross_entropy


@METRICS.register("balanced_accuracy", rank=3)
def balanced_accuracy() -> Metric:
    """Mean over classes of the share of right answers, so that rare classes count as much as others."""
    return Metric(
        "balanced_accuracy",
        "balanced accuracy",
        _statistics,
        _value,
        unit="%",
        loss=cross_entropy,
        of_scores=True,
    )


def _statistics(outputs: Tensor, targets: Tensor) -> Tensor:
    scores = scores_of("balanced_accuracy", outputs, (2,), "class scores (samples, classes)")
    truth = class_targets("balanced_accuracy", targets, (len(scores),), scores.shape[1])
    there = one_hot(truth, scores.shape[1])
    return rows(there * (best_class(scores) == truth)[:, None], there)


def _value(sums: Tensor) -> Tensor:
    right, samples = sums.chunk(2, -1)
    return mean_over_classes(share(right, samples), (samples > 0).to(torch.float64))
