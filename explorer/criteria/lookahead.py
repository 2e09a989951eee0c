"""Magnitude that looks at the layers before and after."""

from torch import Tensor

from ..registry import CRITERIA
from ..signals.values import LayerSignals


@CRITERIA.register(
    "lookahead",
    rank=12,
    level="weight",
    reduction="sum_abs",
    scope="part",
    needs=("neighbours",),
    trap="Knows nothing of activation functions; each layer is rated as if the others stayed dense.",
)
def lookahead(layer: LayerSignals) -> Tensor:
    """Absolute weight times the norms of the weights before its input and after its output (Park et al. 2020,
    arXiv:2002.04809).

    Norms of the model are included with the gain that they apply in eval mode.

    >>> import torch
    >>> around = {"upstream": torch.tensor([[2.0, 1.0]]), "downstream": torch.tensor([[3.0], [5.0]])}
    >>> weight = torch.tensor([[1.0, -1.0], [1.0, 1.0]])
    >>> lookahead(LayerSignals("fc", "linear", weight, collected={"own_gain": torch.ones(2, 1), **around}))
    tensor([[ 6.,  3.],
            [10.,  5.]])
    """
    return (
        layer.weight.abs() * layer.signal("own_gain") * layer.signal("upstream") * layer.signal("downstream")
    )
