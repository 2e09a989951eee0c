"""Right answers among the best few."""

from torch import Tensor

from ..registry import METRICS
from ..values.metric import Metric
from .checks import class_targets, counted, ratio_of_two, scores_of
from .losses import cross_entropy


@METRICS.register("top5", rank=2)
def top5(*, k: int = 5) -> Metric:
    """Share of samples whose right class is among the five highest scores."""

    def statistics(outputs: Tensor, targets: Tensor) -> Tensor:
        scores = scores_of("top5", outputs, (2,), "class scores (samples, classes)")
        truth = class_targets("top5", targets, (len(scores),), scores.shape[1])
        best = scores.topk(min(k, scores.shape[1]), 1)
        is_there = (best.indices == truth[:, None]).any(1)
        return counted(is_there & ~best.values.isnan().any(1))  # NaN would be the highest score

    return Metric(
        "top5", f"top-{k} accuracy", statistics, ratio_of_two, unit="%", loss=cross_entropy, of_scores=True
    )
