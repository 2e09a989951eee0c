"""Synaptic flow."""

from torch import Tensor

from ..registry import CRITERIA
from ..signals.values import LayerSignals


@CRITERIA.register(
    "synflow",
    rank=9,
    level="weight",
    reduction="sum_abs",
    scope="part",
    needs=("flow",),
    trap="Knows no data and was made for initialisation. Nothing flows through attention's queries and keys "
    "or through gates, so these go first.",
)
def synflow(layer: LayerSignals) -> Tensor:
    """The round, out of 100, in which a weight is removed if the lowest synaptic flow is removed first
    (Tanaka et al. 2020, arXiv:2006.05467).

    Ones are sent through the absolute weights of the whole model, in float64; a weight's flow is itself times
    the derivative of the output. Removing a little and measuring again keeps every layer connected. Within a
    round the rank is added as a fraction. A channel's value is the sum over its weights.

    >>> import torch
    >>> flow = {"flow_order": torch.tensor([[3.5, 100.0]])}
    >>> synflow(LayerSignals("fc", "linear", torch.ones(1, 2), collected=flow))
    tensor([[  3.5000, 100.0000]])
    """
    return layer.signal("flow_order")
