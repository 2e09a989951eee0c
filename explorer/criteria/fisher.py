"""Optimal brain damage with the empirical Fisher information."""

from torch import Tensor

from ..registry import CRITERIA
from ..signals.values import LayerSignals


@CRITERIA.register(
    "fisher",
    rank=7,
    level="weight",
    reduction="sum_abs",
    scope="part",
    needs=("gradients",),
    trap="Assumes that the gradient is zero and that weights do not act together. Curvature comes from "
    "the squared gradients of batches of 16.",
)
def fisher(layer: LayerSignals) -> Tensor:
    """Half of squared weight times curvature (LeCun et al. 1989, Optimal Brain Damage; Theis et al. 2018,
    arXiv:1801.05787).

    The curvature's diagonal is the mean over samples of the squared gradient, from batches of 16: their mean
    gradient squared, times 16. A channel's value is the sum over its weights.

    >>> import torch
    >>> signals = {"squared_gradient": torch.tensor([[4.0, 2.0]])}
    >>> layer = LayerSignals("fc", "linear", torch.tensor([[1.0, 3.0]]), collected=signals)
    >>> fisher(layer)
    tensor([[2., 9.]])
    """
    return layer.weight.square() * layer.signal("squared_gradient") / 2
