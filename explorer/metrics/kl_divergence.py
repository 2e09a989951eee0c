"""Agreement with the dense model: how far the probabilities move."""

from typing import Any

import torch
from torch import Tensor

from ..registry import METRICS
from ..values.metric import Metric
from .checks import ratio_of_two, rows
from .dense_outputs import class_scores


@METRICS.register("kl_divergence", rank=51)
def kl_divergence() -> Metric:
    """How far the pruned model's probabilities are from the dense model's, in nats; needs no labels."""
    return Metric(
        "kl_divergence",
        "KL divergence from the dense model",
        _statistics,
        ratio_of_two,
        "lower",
        "nats",
        0.01,
        needs="dense",
        of_scores=True,
    )


def _statistics(outputs: Any, dense: Any) -> Tensor:
    ours, theirs = (t.log_softmax(2) for t in class_scores("kl_divergence", outputs, dense))
    nats = (theirs.exp() * (theirs - ours)).sum(2)
    return rows(nats.sum(1), torch.full_like(nats[:, 0], nats.shape[1]))
