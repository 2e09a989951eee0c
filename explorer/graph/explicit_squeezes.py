"""Makes `squeeze` without dimensions name the dimensions that it removes, instead of all that have size 1.

The graph is run with any batch and any width: a batch of one, or the last remaining channel, must not be
removed.
"""

from typing import Any

import torch
from torch import Tensor, fx

aten = torch.ops.aten
SQUEEZES = (aten.squeeze.default, aten.squeeze.dim, aten.squeeze.dims)
IN_PLACE = {  # they change the shape of a value that may have been read before
    aten.squeeze_.default: aten.squeeze.default,
    aten.squeeze_.dim: aten.squeeze.dim,
    aten.squeeze_.dims: aten.squeeze.dims,
    aten.unsqueeze_.default: aten.unsqueeze.default,
    aten.transpose_.default: aten.transpose.int,
    aten.t_.default: aten.t.default,
    aten.swapaxes_.default: aten.swapaxes.default,
    aten.swapdims_.default: aten.swapdims.default,
}


def name_squeezed(module: fx.GraphModule) -> None:
    """Let each squeeze of a graph name the dimensions that are 1 for every batch; the graph is changed."""
    for node in module.graph.nodes:
        node.target = IN_PLACE.get(node.target, node.target) if node.op == "call_function" else node.target
        if node.target not in SQUEEZES:
            continue
        source: Any = node.args[0]
        value = source.meta.get("val")
        if not isinstance(value, Tensor):
            continue
        named = node.args[1] if len(node.args) > 1 else range(value.dim())
        dims = {d % max(value.dim(), 1) for d in ([named] if isinstance(named, int) else named)}
        alone = [d for d in sorted(dims) if value.dim() and _is_one(value.shape[d])]
        node.args = (source, alone)
        node.target = aten.squeeze.dims


def _is_one(size: Any) -> bool:
    """Whether a size is 1. One that depends on the batch is not, though it may be 1 for one batch."""
    return isinstance(size, int) and size == 1
