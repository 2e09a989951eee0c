"""Agreement with the dense model: the same answer."""

from typing import Any

import torch
from torch import Tensor

from ..registry import METRICS
from ..values.metric import Metric
from .checks import best_class, ratio_of_two, rows
from .dense_outputs import class_scores


@METRICS.register("same_answer", rank=50)
def same_answer() -> Metric:
    """Share of samples (or pixels, or tokens) to which the pruned model gives the dense model's answer; needs
    no labels.
    """
    return Metric(
        "same_answer",
        "same answer as the dense model",
        _statistics,
        ratio_of_two,
        unit="%",
        needs="dense",
        of_scores=True,
    )


def _statistics(outputs: Any, dense: Any) -> Tensor:
    ours, theirs = class_scores("same_answer", outputs, dense)
    is_one = ours.shape[2] == 1  # one score: yes or no
    if is_one:
        same = ((ours > 0) == (theirs > 0)) & ~(ours.isnan() | theirs.isnan())
    else:
        answer = best_class(ours, 2)
        same = (answer == best_class(theirs, 2)) & (answer >= 0)
    same = same.flatten(1)
    return rows(same.sum(1), torch.full_like(same[:, 0], same.shape[1], dtype=torch.float64))
