"""Right answers."""

from torch import Tensor

from ..registry import METRICS
from ..values.metric import Metric
from .checks import best_class, class_targets, counted, ratio_of_two, scores_of
from .losses import cross_entropy


@METRICS.register("accuracy", rank=1)
def accuracy() -> Metric:
    """Share of samples whose highest class score is that of the right class."""
    return Metric(
        "accuracy", "accuracy", _statistics, ratio_of_two, unit="%", loss=cross_entropy, of_scores=True
    )


def _statistics(outputs: Tensor, targets: Tensor) -> Tensor:
    scores = scores_of("accuracy", outputs, (2,), "class scores (samples, classes)")
    truth = class_targets("accuracy", targets, (len(scores),), scores.shape[1])
    return counted(best_class(scores) == truth)
