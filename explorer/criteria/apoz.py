"""Average percentage of zeros."""

from torch import Tensor

from ..registry import CRITERIA
from ..signals.values import LayerSignals


@CRITERIA.register(
    "apoz",
    rank=11,
    level="channel",
    reduction="sum_abs",
    scope="part",
    needs=("activations",),
    trap="Made for ReLU, whose zeros it counts; elsewhere it counts what is not positive. A channel that is "
    "always a little active looks important.",
)
def apoz(layer: LayerSignals) -> Tensor:
    """Share of a channel's activations that are positive: 1 minus APoZ, the average percentage of zeros.

    (Hu et al. 2016, arXiv:1607.03250)

    >>> import torch
    >>> collected = {"positive_share": torch.tensor([0.25, 1.0])}
    >>> apoz(LayerSignals("fc", "linear", torch.ones(2, 1), collected=collected))
    tensor([0.2500, 1.0000])
    """
    return layer.signal("positive_share")
