"""Texts: correctly predicted next tokens."""

from torch import Tensor

from ..registry import METRICS
from ..values.metric import Metric
from .checks import IGNORED, ratio_of_two, rows
from .losses import token_cross_entropy
from .tokens import are_predicted, scores_and_tokens


@METRICS.register("next_token_accuracy", rank=32)
def next_token_accuracy(*, shift: bool = False) -> Metric:
    """Share of tokens that the model predicts as the next one."""

    def statistics(outputs: Tensor, targets: Tensor) -> Tensor:
        scores, tokens = scores_and_tokens("next_token_accuracy", outputs, targets, shift)
        return rows(are_predicted(scores, tokens).sum(1), (tokens != IGNORED).sum(1))

    return Metric(
        "next_token_accuracy",
        "next-token accuracy",
        statistics,
        ratio_of_two,
        unit="%",
        loss=token_cross_entropy,
        of_scores=True,
    )
