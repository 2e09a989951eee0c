"""Several labels per sample."""

from typing import Literal

from torch import Tensor

from ..registry import METRICS
from ..values.metric import Metric
from .checks import check_yes_or_no, f1_of, refuse, rows, scores_of
from .losses import binary_cross_entropy
from .macro_f1 import macro


@METRICS.register("multilabel_f1", rank=6)
def multilabel_f1(*, average: Literal["micro", "macro"] = "micro") -> Metric:
    """F1 of a model that says yes or no to each of several labels: a score above 0 means yes."""
    value = macro if average == "macro" else _micro
    return Metric(
        "multilabel_f1",
        f"multi-label F1 ({average})",
        _statistics,
        value,
        unit="%",
        loss=binary_cross_entropy,
        of_scores=True,
    )


def _statistics(outputs: Tensor, targets: Tensor) -> Tensor:
    scores = scores_of("multilabel_f1", outputs, (2,), "one score per label (samples, labels)")
    if not isinstance(targets, Tensor) or targets.shape != scores.shape:
        raise refuse("multilabel_f1", f"targets of 0 and 1 of shape {tuple(scores.shape)}", targets)
    check_yes_or_no("multilabel_f1", targets)
    said, there = scores > 0, targets > 0
    return rows(said & there, said & ~there, there & ~said)


def _micro(sums: Tensor) -> Tensor:
    hits, false_alarms, misses = (part.sum(-1) for part in sums.chunk(3, -1))
    return f1_of(hits, false_alarms, misses)
