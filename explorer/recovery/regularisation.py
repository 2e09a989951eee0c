"""Training that pulls weights towards zero before they are cut, so that their sizes separate.

Penalties act as proximal steps after the optimiser's own (Parikh and Boyd 2014, doi:10.1561/2400000003): they
reach exact zeros, and an optimiser that rescales gradients, such as Adam, doesn't weaken them where gradients
are large.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import softshrink

from ..values.profile import Layer

BINS_A_DECADE, LOWEST, HIGHEST = 8, -6, 1  # decades of the counted sizes
EDGES = tuple(10 ** (LOWEST + i / BINS_A_DECADE) for i in range((HIGHEST - LOWEST) * BINS_A_DECADE + 1))


def shrink(weight: Tensor, penalty: str, amount: float, output_dim: int = 0) -> None:
    """Apply one proximal step, in place.

    Args:
        weight: (out, in, *kernel), or (in, out, *kernel) with output_dim 1.
        penalty: "l1" moves each weight towards 0 by the amount and stops there; "l2" divides it by 1 +
            amount; "group_lasso" shortens each output channel's vector by amount x sqrt(its length), and
            stops at 0 (Yuan and Lin 2006).
        amount: learning rate x strength.

    >>> weight = torch.tensor([[3.0, -0.5], [0.3, 0.4]])
    >>> shrink(weight, "l1", 0.5); weight.abs().tolist()
    [[2.5, 0.0], [0.0, 0.0]]
    """
    if penalty == "l2":
        weight.div_(1 + amount)
    elif penalty == "l1":
        weight.copy_(softshrink(weight, amount))
    else:
        rows = weight.movedim(output_dim, 0).flatten(1)
        norms = rows.norm(dim=1).clamp(min=1e-12)
        left = (1 - amount * math.sqrt(rows.shape[1]) / norms).clamp(min=0)
        weight.mul_(left.view([-1 if d == output_dim else 1 for d in range(weight.dim())]))


def shrink_all(model: nn.Module, layers: Iterable[Layer], penalty: str, amount: float) -> None:
    """Apply one proximal step to the weights of all these layers, in place."""
    with torch.no_grad():
        for layer in layers:
            shrink(model.get_parameter(layer.weight), penalty, amount, layer.output_dim)


def count_norms(model: nn.Module, layers: Iterable[Layer], penalty: str) -> tuple[int, ...]:
    """Return the number of sizes in each bin of EDGES; smaller or larger sizes count in the first or last
    bin.

    Sizes are |w| of each weight, or, for group_lasso, the root mean square of each output channel.
    """
    counts = torch.zeros(len(EDGES) - 1, dtype=torch.long)
    inner = torch.tensor(EDGES[1:-1], dtype=torch.float64)
    for layer in layers:
        counts += torch.bincount(torch.bucketize(_sizes(model, layer, penalty), inner), minlength=len(counts))
    return tuple(counts.tolist())


def _sizes(model: nn.Module, layer: Layer, penalty: str) -> Tensor:
    weight = model.get_parameter(layer.weight).detach().cpu().double()
    if penalty != "group_lasso":
        return weight.abs().flatten()
    return weight.movedim(layer.output_dim, 0).flatten(1).square().mean(1).sqrt()
