"""Agreement with the dense model: how far the probabilities move."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ..registry import METRICS
from ..values.metric import Metric
from .checks import ratio_of_two, rows
from .dense_outputs import class_scores


@METRICS.register("kl_divergence", rank=51)
def kl_divergence(*, labels: bool = False) -> Metric:
    """How far the pruned model's probabilities are from the dense model's, in nats; needs no labels.

    Args:
        labels: each score is a yes or no of its own; the mean over all of them. One score alone always is.
    """

    def statistics(outputs: Any, dense: Any) -> Tensor:
        ours, theirs = class_scores("kl_divergence", outputs, dense)
        if labels or ours.shape[2] == 1:
            nats = _of_yes_and_no(ours, theirs).flatten(1)
        else:
            ours, theirs = ours.log_softmax(2), theirs.log_softmax(2)
            nats = (theirs.exp() * (theirs - ours)).sum(2)
        return rows(nats.sum(1), torch.full_like(nats[:, 0], nats.shape[1]))

    return Metric(
        "kl_divergence",
        "KL divergence from the dense model",
        statistics,
        ratio_of_two,
        "lower",
        "nats",
        0.01,
        needs="dense",
        least=0,
        of_scores=True,
    )


def _of_yes_and_no(ours: Tensor, theirs: Tensor) -> Tensor:
    """Return the divergence of each score's own yes and no, shaped like the scores."""
    yes, no = (
        (logsigmoid(sign * theirs), logsigmoid(sign * theirs) - logsigmoid(sign * ours)) for sign in (1, -1)
    )
    return yes[0].exp() * yes[1] + no[0].exp() * no[1]
