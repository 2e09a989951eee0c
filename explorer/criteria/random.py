"""The control that every criterion must beat."""

import torch
from torch import Tensor

from ..registry import CRITERIA
from ..signals.values import LayerSignals


@CRITERIA.register(
    "random",
    rank=99,
    level="weight",
    reduction="sum_abs",
    scope="part",
    needs=(),
    trap="One seed is one draw: compare with several.",
)
def random(layer: LayerSignals) -> Tensor:
    """A uniform random number for each weight: the control that every criterion must beat.

    >>> layer = LayerSignals("fc", "linear", torch.ones(1, 2))
    >>> bool((random(layer) == random(layer)).all())
    True
    """
    return torch.rand(layer.weight.shape, generator=layer.generator())
