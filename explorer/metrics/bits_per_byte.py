"""Texts: bits per byte, which allow models with different tokens to be compared."""

import math
from typing import Any

from torch import Tensor

from ..registry import METRICS
from ..values.metric import Metric
from .checks import ratio_of_two, refuse, rows
from .losses import token_cross_entropy
from .tokens import scores_and_tokens, surprise


@METRICS.register("bits_per_byte", rank=31)
def bits_per_byte(*, shift: bool = False) -> Metric:
    """Bits that the model needs for each byte of text; targets are (tokens, bytes of each sample)."""

    def statistics(outputs: Tensor, targets: Any) -> Tensor:
        if not isinstance(targets, tuple | list) or len(targets) != 2:
            raise refuse("bits_per_byte", "targets as a pair (tokens, bytes of each sample)", targets)
        nats, _ = surprise(*scores_and_tokens("bits_per_byte", outputs, targets[0], shift))
        return rows(nats / math.log(2), targets[1])

    return Metric(
        "bits_per_byte",
        "bits per byte",
        statistics,
        ratio_of_two,
        "lower",
        "bits",
        0.02,
        True,
        loss=token_cross_entropy,
        least=0,
        of_scores=True,
    )
