"""Weights and activations."""

from torch import Tensor

from ..registry import CRITERIA
from ..signals.values import LayerSignals


@CRITERIA.register(
    "wanda",
    rank=3,
    level="weight",
    reduction="sum_abs",
    scope="row",
    needs=("activations",),
    trap="Ranks within each output row, so every output loses as much; made for language models.",
)
def wanda(layer: LayerSignals) -> Tensor:
    """Absolute weight times the norm of its input, ranked within each output (Sun et al. 2023,
    arXiv:2306.11695).

    The L2 norm of an input feature is taken over samples and positions. A channel's value is the sum over its
    weights.

    >>> import torch
    >>> signals = {"input_norm": torch.tensor([[2.0, 0.5]])}
    >>> layer = LayerSignals("fc", "linear", torch.tensor([[3.0, -4.0]]), collected=signals)
    >>> wanda(layer)
    tensor([[6., 2.]])
    """
    return layer.weight.abs() * layer.signal("input_norm")
