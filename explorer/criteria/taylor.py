"""How the loss changes, by its Taylor expansion."""

from typing import Literal

import torch
from torch import Tensor

from ..registry import CRITERIA
from ..signals.values import LayerSignals


@CRITERIA.register(
    "taylor",
    rank=6,
    level="weight",
    reduction="sum_abs",
    scope="part",
    needs=("gradients",),
    trap="Depends on the training samples that it sees. At order 1 single weights are ranked as by fisher; "
    "only channels are ranked differently.",
)
def taylor(layer: LayerSignals, *, order: Literal[1, 2] = 1) -> Tensor:
    """Predicted change of the loss when a weight or channel is removed (Molchanov et al. 2019,
    arXiv:1906.10771).

    A channel counts as one: as a gate on everything that reads it, so after its norm and activation function.
    Order 1 is the mean over samples of the squared product of weight and gradient. Order 2 is the size of the
    mean change up to the second order, with the mean squared gradient as curvature.

    >>> signals = {"gradient": torch.tensor([[2.0, 0.0]]), "squared_gradient": torch.tensor([[4.0, 2.0]])}
    >>> layer = LayerSignals("fc", "linear", torch.tensor([[1.0, 3.0]]), collected=signals)
    >>> taylor(layer), taylor(layer, order=2)
    (tensor([[ 4., 18.]]), tensor([[0., 9.]]))
    """
    if layer.granularity == "channel":
        gate, mean, square = (
            torch.ones(()),
            layer.signal("gate_gradient"),
            layer.signal("squared_gate_gradient"),
        )
    else:
        gate, mean, square = layer.weight, layer.signal("gradient"), layer.signal("squared_gradient")
    curved = gate.square() * square
    return curved if order == 1 else (curved / 2 - gate * mean).abs()
