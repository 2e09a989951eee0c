"""Distance from the geometric median."""

import torch
from torch import Tensor

from ..registry import CRITERIA
from ..signals.values import LayerSignals


@CRITERIA.register(
    "fpgm",
    rank=5,
    level="channel",
    reduction="sum_abs",
    scope="part",
    needs=(),
    trap="Finds filters that others can replace, not small ones: a large one with a twin goes early.",
)
def fpgm(layer: LayerSignals) -> Tensor:
    """Sum of the distances from a channel's weights to those of all others (He et al. 2019,
    arXiv:1811.00250).

    >>> fpgm(LayerSignals("fc", "linear", torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])))
    tensor([ 5., 10.,  5.])
    """
    rows = layer.rows
    # the quick way by matrix products is too coarse for filters that nearly agree, and those are the ones to
    # find
    return torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist").sum(1)
