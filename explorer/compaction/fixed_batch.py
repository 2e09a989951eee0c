"""Runs a graph that was exported for one batch size on any: in portions, of which the last is filled up."""

from typing import Any

import torch
from torch import Tensor, fx
from torch.utils._pytree import tree_map


def run_in_portions(module: fx.GraphModule, batch: int) -> None:
    """Change how this one module is called; its graph and its tensors are not changed.

    Args:
        batch: the size that its literals were written for.
    """
    own: Any = type(module)  # fx creates a class for each module
    whole = own.forward

    def forward(self: fx.GraphModule, *inputs: Tensor) -> Any:
        samples = len(inputs[0])
        if samples == batch:
            return whole(self, *inputs)
        portions = zip(*(given.split(batch) for given in inputs), strict=True)
        parts = [whole(self, *(_filled(part, batch) for part in portion)) for portion in portions]

        def join(*found):
            return torch.cat(found)[:samples] if isinstance(found[0], Tensor) else found[0]

        return tree_map(join, *parts)

    own.forward = forward


def _filled(part: Tensor, batch: int) -> Tensor:
    """Fill (n, ...) up to (batch, ...) by repeating the last sample."""
    missing = batch - len(part)
    return torch.cat([part, part[-1:].expand(missing, *part.shape[1:])]) if missing else part
