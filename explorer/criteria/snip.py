"""Connection sensitivity."""

from torch import Tensor

from ..registry import CRITERIA
from ..signals.values import LayerSignals


@CRITERIA.register(
    "snip",
    rank=8,
    level="weight",
    reduction="sum_abs",
    scope="part",
    needs=("gradients",),
    trap="Defined at initialisation; in a trained model a small gradient may mean that it is done.",
)
def snip(layer: LayerSignals) -> Tensor:
    """Size of weight times gradient; a channel's is the sum over its weights (Lee et al. 2019,
    arXiv:1810.02340).

    >>> import torch
    >>> signals = {"gradient": torch.tensor([[2.0, -1.0]])}
    >>> layer = LayerSignals("fc", "linear", torch.tensor([[1.0, 3.0]]), collected=signals)
    >>> snip(layer)
    tensor([[2., 3.]])
    """
    return (layer.signal("gradient") * layer.weight).abs()
