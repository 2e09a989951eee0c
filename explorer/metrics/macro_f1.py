"""Precision and recall in one number, with every class counted equally."""

from torch import Tensor
from torch.nn.functional import one_hot

from ..registry import METRICS
from ..values.metric import Metric
from .checks import best_class, class_targets, f1_of, mean_over_classes, rows, scores_of
from .losses import cross_entropy


@METRICS.register("macro_f1", rank=4)
def macro_f1() -> Metric:
    """Mean over classes of F1, the harmonic mean of precision and recall."""
    return Metric("macro_f1", "macro F1", _statistics, macro, unit="%", loss=cross_entropy, of_scores=True)


def _statistics(outputs: Tensor, targets: Tensor) -> Tensor:
    scores = scores_of("macro_f1", outputs, (2,), "class scores (samples, classes)")
    truth = class_targets("macro_f1", targets, (len(scores),), scores.shape[1])
    best, there = best_class(scores), one_hot(truth, scores.shape[1])
    said = one_hot(best.clamp_min(0), scores.shape[1]) * (best >= 0)[:, None]
    return rows(said * there, said * (1 - there), there * (1 - said))


def macro(sums: Tensor) -> Tensor:
    """Return the mean F1 of the classes that occur, from (..., 3 classes) hits, false alarms and misses."""
    hits, false_alarms, misses = sums.chunk(3, -1)
    return mean_over_classes(f1_of(hits, false_alarms, misses), (hits + false_alarms + misses > 0).double())
