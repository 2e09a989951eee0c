"""Finds whole numbers in a graph that are the same for every input, such as the order of a permutation."""

from collections.abc import Mapping
from math import prod
from typing import Any

import torch
from torch import Tensor, fx

from .nodes import op_name
from .program import Program, Shaped, output_of

MOST = 2**16  # numbers of one tensor
HANDS_ON = ("detach_", "requires_grad_")  # end in an underscore, but write nothing


def known_positions(program: Program, buffers: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return node -> its values, on the CPU, for constants, buffers and what is computed from them alone.

    A graph that writes into one of them has no known values at all, since they change from call to call.

    Args:
        buffers: of the model, by name.
    """
    names = {**program.buffers, **program.lifted}
    held = {**program.constants, **buffers}
    known: dict[fx.Node, Tensor] = {}
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in names:
            value = held.get(names[node.name])
        elif node.op == "call_function" and all(source in known for source in node.all_input_nodes):
            if _writes(node) and node.all_input_nodes:
                return {}
            value = _computed(node, known)
        else:
            value = None
        if isinstance(value, Tensor) and value.dtype is torch.int64 and value.numel() <= MOST:
            known[node] = value.detach().cpu()
    return {node.name: value for node, value in known.items()}


def _writes(node: fx.Node) -> bool:
    target = node.target
    mutable = isinstance(target, torch._ops.OpOverload) and target._schema.is_mutable
    return mutable and op_name(target) not in HANDS_ON


def _computed(node: fx.Node, known: dict[fx.Node, Tensor]) -> Any:
    """Return the result of an operator on known values, None if it gives no whole numbers or draws them."""
    target, shown = node.target, output_of(node)
    if not isinstance(target, torch._ops.OpOverload) or torch.Tag.nondeterministic_seeded in target.tags:
        return None
    if not isinstance(shown, Shaped) or shown.dtype is not torch.int64 or prod(map(int, shown.shape)) > MOST:
        return None
    args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda source: known[source])
    return target(*args, **{name: value for name, value in kwargs.items() if name != "device"})
