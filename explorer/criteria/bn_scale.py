"""The scale of the norm behind a channel."""

import torch
from torch import Tensor

from ..registry import CRITERIA
from ..signals.values import LayerSignals


@CRITERIA.register(
    "bn_scale",
    rank=4,
    level="channel",
    reduction="sum_abs",
    scope="part",
    needs=("norms",),
    trap="Means most for models trained with an L1 penalty on these scales. Channels without a norm are "
    "rated by their mean absolute weight.",
)
def bn_scale(layer: LayerSignals) -> Tensor:
    """Size of the scale of the norm that follows a channel (Liu et al. 2017, arXiv:1708.06519).

    In a coupled group without any norm, the mean absolute weight of each channel is used instead.

    >>> scales = {"norm_scale": torch.tensor([0.5, torch.nan])}
    >>> layer = LayerSignals("conv", "conv", torch.ones(2, 1), collected=scales)
    >>> bn_scale(layer)
    tensor([0.5000, 1.0000])
    """
    scale = layer.signal("norm_scale")
    return torch.where(scale.isnan(), layer.rows.abs().mean(1), scale)
