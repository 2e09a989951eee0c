"""Texts: perplexity."""

from torch import Tensor

from ..registry import METRICS
from ..values.metric import Metric
from .checks import ratio_of_two, rows
from .losses import token_cross_entropy
from .tokens import scores_and_tokens, surprise


@METRICS.register("perplexity", rank=30)
def perplexity(*, shift: bool = False) -> Metric:
    """The number of equally likely tokens among which the model would be as unsure: exp of the mean loss per
    token.
    """

    def statistics(outputs: Tensor, targets: Tensor) -> Tensor:
        return rows(*surprise(*scores_and_tokens("perplexity", outputs, targets, shift)))

    return Metric(
        "perplexity",
        "perplexity",
        statistics,
        _value,
        "lower",
        "",
        0.02,
        True,
        loss=token_cross_entropy,
        in_logs=True,
        least=1,
        of_scores=True,
    )


def _value(sums: Tensor) -> Tensor:
    return ratio_of_two(sums).exp()
