"""Magnitude."""

from torch import Tensor

from ..registry import CRITERIA
from ..signals.values import LayerSignals


@CRITERIA.register(
    "l1",
    rank=1,
    level="weight",
    reduction="sum_abs",
    scope="part",
    needs=(),
    trap="Says nothing of how large the activations are that a weight meets.",
)
def l1(layer: LayerSignals) -> Tensor:
    """Absolute value of each weight; a channel's is the sum over its weights (Li et al. 2017,
    arXiv:1608.08710).

    >>> import torch
    >>> l1(LayerSignals("fc", "linear", torch.tensor([[3.0, -4.0]])))
    tensor([[3., 4.]])
    """
    return layer.weight.abs()
