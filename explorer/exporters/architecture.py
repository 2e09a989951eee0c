"""compact model -> a plain description of its graph: modules, aten operators, arguments. `load_pruned` reads
it back.

Data only, no code: modules are named classes of torch.nn with their constructor's arguments; the rest are
aten operators by name, Python's arithmetic on sizes, and tensors of the weights file.
"""

import inspect
import math
from typing import Any

import torch
from torch import fx, nn

from ..compaction.devices import device_of
from ..errors import ExplorerError
from ..measuring.storage_size import graph_constants
from .load_pruned import MODULES, OPERATORS

VERSION = 2  # version 1 did not say for which input sizes it is valid
NAMES = {function: name for name, function in OPERATORS.items()} | {device_of: "device_of"}


def describe(model: fx.GraphModule) -> dict[str, Any]:
    """Return the graph of a compact model as JSON data.

    Returns: version, inputs (names), modules (name -> class and arguments), tensors (names outside modules,
        and whether they are parameters), tied (name -> the name that it shares its tensor with), nodes (in
        order), output.
    Raises:
        ExplorerError: the graph contains something that has no plain description, such as a custom operator.
    """
    nodes = list(model.graph.nodes)
    called = {str(node.target) for node in nodes if node.op == "call_module"}
    modules = {name: _module(model.get_submodule(name)) for name in sorted(called)}
    return {
        "version": VERSION,
        "inputs": [node.name for node in nodes if node.op == "placeholder"],
        "modules": modules,
        "tensors": _loose_tensors(model, called),
        "tied": tied_names(model),
        "nodes": _nodes(nodes),
        "output": _value(nodes[-1].args[0]),
    }


def tied_names(model: nn.Module) -> dict[str, str]:
    """Return, for each name of the state dict that shares its tensor with an earlier name, that earlier
    name.
    """
    first: dict[int, str] = {}
    tied = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if first.setdefault(id(tensor), name) != name:
            tied[name] = first[id(tensor)]
    return tied


def _module(module: nn.Module) -> dict[str, Any]:
    kind = type(module)
    if kind.__name__ not in MODULES or getattr(nn, kind.__name__) is not kind:
        raise ExplorerError(
            f"A module of type {kind.__name__!r} cannot be described; choose another export format."
        )
    arguments = {}
    for name in inspect.signature(kind).parameters:
        value = getattr(module, name, None)
        if name == "bias":
            arguments[name] = value is not None
        elif hasattr(module, name) and not name.startswith("_"):
            arguments[name] = _value(value)
    return {"class": kind.__name__, "arguments": arguments}


def _loose_tensors(model: fx.GraphModule, called: set[str]) -> dict[str, str]:
    """Return tensors outside all described modules: name -> "parameter" or "buffer"."""
    held = {f"{name}.{leaf}" for name in called for leaf in _own_names(model.get_submodule(name))}
    state = model.state_dict(keep_vars=True)
    own = {
        name: "parameter" if isinstance(t, nn.Parameter) else "buffer"
        for name, t in state.items()
        if name not in held
    }
    return own | dict.fromkeys(graph_constants(model), "buffer")


def _own_names(module: nn.Module) -> set[str]:
    """Return the names that the module has because of its class, not those that were added to it."""
    own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    return {name for name, _ in own}


def _nodes(nodes: list[fx.Node]) -> list[dict[str, Any]]:
    """Return the steps between inputs and output; each names the values that nothing after it reads, so that
    they can be released.
    """
    last_use = {used: node for node in nodes for used in node.all_input_nodes}
    steps = []
    for node in nodes:
        if node.op in ("placeholder", "output"):
            continue
        kind, target = _target(node)
        done = [used.name for used in node.all_input_nodes if last_use[used] is node]
        steps.append(
            {
                "name": node.name,
                "call": kind,
                "target": target,
                "args": _value(node.args),
                "kwargs": {key: _value(value) for key, value in node.kwargs.items()},
                "last_use_of": done,
            }
        )
    return steps


def _target(node: fx.Node) -> tuple[str, str]:
    target = node.target
    if node.op == "call_module":
        return "module", str(target)
    if node.op == "get_attr":
        return "tensor", str(target)
    if isinstance(target, torch._ops.OpOverload) and target.namespace == "aten":
        return "aten", target.__name__
    if target in NAMES:
        return "operator", NAMES[target]
    raise ExplorerError(f"Operator {str(target)[:80]!r} cannot be described; choose another export format.")


def _value(value: Any) -> Any:
    """Return an argument as JSON data; values that JSON lacks become {"node": name}, {"float": text} or
    {"torch": name}.
    """
    if isinstance(value, fx.Node):
        return {"node": value.name}
    if isinstance(value, list | tuple):
        return [_value(item) for item in value]
    if isinstance(value, dict):
        return {"dict": {str(key): _value(item) for key, item in value.items()}}
    if isinstance(value, torch.dtype | torch.memory_format):
        return {"torch": str(value).removeprefix("torch.")}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ExplorerError(
        f"A value of type {type(value).__name__!r} cannot be described; choose another export format."
    )
