"""Squared magnitude."""

from torch import Tensor

from ..registry import CRITERIA
from ..signals.values import LayerSignals


@CRITERIA.register(
    "l2",
    rank=2,
    level="weight",
    reduction="sum_abs",
    scope="part",
    needs=(),
    trap="Ranks single weights exactly as l1 does; only channels are ranked differently.",
)
def l2(layer: LayerSignals) -> Tensor:
    """Square of each weight; a channel's is the sum, the square of its L2 norm (Han et al. 2015,
    arXiv:1506.02626).

    >>> import torch
    >>> l2(LayerSignals("fc", "linear", torch.tensor([[3.0, -4.0]])))
    tensor([[ 9., 16.]])
    """
    return layer.weight.square()
