"""How strongly a channel is active."""

from torch import Tensor

from ..registry import CRITERIA
from ..signals.values import LayerSignals


@CRITERIA.register(
    "activation_mean",
    rank=10,
    level="channel",
    reduction="sum_abs",
    scope="part",
    needs=("activations",),
    trap="A constant channel may be strong and yet say nothing.",
)
def activation_mean(layer: LayerSignals) -> Tensor:
    """Mean absolute activation of a channel over training samples and positions (Molchanov et al. 2017,
    arXiv:1611.06440).

    >>> import torch
    >>> collected = {"mean_magnitude": torch.tensor([0.5, 2.0])}
    >>> activation_mean(LayerSignals("fc", "linear", torch.ones(2, 1), collected=collected))
    tensor([0.5000, 2.0000])
    """
    return layer.signal("mean_magnitude")
