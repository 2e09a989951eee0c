"""Finds whole numbers in a graph that are the same for every input, such as the order of a permutation."""

from typing import Any

import torch
from torch import Tensor, fx

from .nodes import op_name

MOST = 2**16  # numbers of one tensor
HANDS_ON = ("detach_", "requires_grad_")  # end in an underscore, but write nothing


def known_positions(program: torch.export.ExportedProgram) -> dict[str, Tensor]:
    """Return node -> its values, on the CPU, for constants, buffers and what is computed from them alone.

    A graph that writes into one of them has no known values at all, since they change from call to call.
    """
    signature = program.graph_signature
    names = {**signature.inputs_to_buffers, **signature.inputs_to_lifted_tensor_constants}
    held = {**program.constants, **program.state_dict}
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
    target, shown = node.target, node.meta.get("val")
    if not isinstance(target, torch._ops.OpOverload) or torch.Tag.nondeterministic_seeded in target.tags:
        return None
    if not isinstance(shown, Tensor) or shown.dtype is not torch.int64 or shown.numel() > MOST:
        return None
    args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda source: known[source])
    return target(*args, **{name: value for name, value in kwargs.items() if name != "device"})
