"""Lets a smaller model create its own tensors on the device of its input, not on the one that it was traced
on.
"""

from typing import Any

import torch
from torch import Tensor, fx

PLACES = ("device", "pin_memory", "layout")
FOLLOWS: dict[Any, Any] = {torch.ops.aten.to.device: torch.ops.aten.to.dtype}


def device_of(tensor: Tensor) -> torch.device:
    """Return where a tensor is."""
    return tensor.device


def without_device(target: Any, args: tuple, kwargs: dict[str, Any]) -> tuple[Any, tuple, dict[str, Any]]:
    """Return a call without its device, whether that was given by position or by name.

    `x.to(device, dtype)` keeps only its dtype, since all of a model is on one device.
    """
    if not isinstance(target, torch._ops.OpOverload):
        return target, args, kwargs
    names = [argument.name for argument in target._schema.arguments]
    placed = [at for at, name in enumerate(names[: len(args)]) if name in PLACES]
    if target in FOLLOWS:
        args = tuple(value for at, value in enumerate(args) if at not in placed)
        target = FOLLOWS[target]
    elif placed:
        args = tuple(None if at in placed else value for at, value in enumerate(args))
    return target, args, {key: value for key, value in kwargs.items() if key not in PLACES}


def makes_a_tensor(target: Any) -> bool:
    """Whether an operator reads no tensor and would create one on the default device, such as `arange`."""
    if not isinstance(target, torch._ops.OpOverload):
        return False
    arguments = target._schema.arguments
    reads = any("Tensor" in str(argument.type) for argument in arguments)
    return not reads and any(argument.name == "device" for argument in arguments)


def device_node(graph: fx.Graph) -> fx.Node | None:
    """Return a node that gives the device of the model's first input, or None if it has none.

    It is inserted after the inputs when it is first needed.
    """
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    if not inputs:
        return None
    known = next((node for node in inputs[0].users if node.target is device_of), None)
    if known is not None:
        return known
    with graph.inserting_after(inputs[-1]):
        return graph.call_function(device_of, (inputs[0],))
