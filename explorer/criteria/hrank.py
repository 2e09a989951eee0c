"""Rank of feature maps."""

from torch import Tensor

from ..registry import CRITERIA
from ..signals.values import LayerSignals


@CRITERIA.register(
    "hrank",
    rank=13,
    level="channel",
    reduction="sum_abs",
    scope="part",
    needs=("activations", "feature_maps"),
    trap="Small maps have few different ranks, so many channels tie and the earlier go first.",
)
def hrank(layer: LayerSignals) -> Tensor:
    """Mean matrix rank of a channel's feature maps over 128 training samples (Lin et al. 2020,
    arXiv:2002.10179).

    Linear layers have no maps: there the mean absolute activation is used instead.

    >>> import torch
    >>> activity = {"mean_magnitude": torch.tensor([0.5, 2.0])}
    >>> collected = {**activity, "map_rank": torch.tensor([7.5, 3.0])}
    >>> hrank(LayerSignals("conv", "conv", torch.ones(2, 1, 1, 1), collected=collected))
    tensor([7.5000, 3.0000])
    >>> hrank(LayerSignals("fc", "linear", torch.ones(2, 1), collected=activity))
    tensor([0.5000, 2.0000])
    """
    return layer.collected.get("map_rank", layer.signal("mean_magnitude"))
