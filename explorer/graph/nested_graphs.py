"""Writes out nested graphs: parts of a model that run in a special mode (without gradients, under autocast).

Gradients do no harm; what autocast casts is cast by nodes of its own.
"""

import operator
from typing import Any

import torch
from torch import fx

from .autocast import write_casts

Autocast = tuple[str, torch.dtype]  # the device it is for, the type it casts to
MODES = {
    "wrap_with_set_grad_enabled": 1,
    "wrap_with_autocast": 4,
}  # operator -> arguments before the inner graph


def write_out(module: fx.GraphModule, cast: Autocast | None = None) -> None:
    """Replace the inner graphs of a graph by their nodes; the graph is changed.

    Args:
        cast: the autocast that the graph itself runs under.
    Raises:
        GraphError: what an autocast does cannot be written out.
    """
    if cast is not None:
        write_casts(module.graph, *cast)
    for node in list(module.graph.nodes):
        name = node.target.name() if isinstance(node.target, torch._ops.HigherOrderOperator) else ""
        before = MODES.get(name)
        if before is None:
            continue
        held: Any = node.args[before]
        inner = getattr(module, held.target)
        write_out(inner, _autocast(node) if name == "wrap_with_autocast" else cast)
        places = [n for n in inner.graph.nodes if n.op == "placeholder"]
        with module.graph.inserting_before(node):
            made: Any = module.graph.graph_copy(
                inner.graph, dict(zip(places, node.args[before + 1 :], strict=True))
            )
        _hand_over(module.graph, node, made)
        if not held.users:
            module.graph.erase_node(held)


def _autocast(node: fx.Node) -> Autocast | None:
    """Return the device and the type of an autocast that is on; torch's default if it names no type."""
    arguments: Any = node.args
    device, dtype, is_on = arguments[:3]
    return (device, dtype or torch.get_autocast_dtype(device)) if is_on else None


def _hand_over(graph: fx.Graph, node: fx.Node, results: Any) -> None:
    """Make readers of the inner graph's results read the nodes that compute them, which keep the names of the
    results.
    """
    for user in list(node.users) if isinstance(results, tuple | list) else []:
        if user.target is operator.getitem:
            _replace(graph, user, results[user.args[1]])
    if isinstance(results, fx.Node):
        _replace(graph, node, results)
    else:
        graph.erase_node(node)


def _replace(graph: fx.Graph, node: fx.Node, result: fx.Node) -> None:
    name = node.name
    node.replace_all_uses_with(result)
    graph.erase_node(node)
    if result.op != "placeholder":
        result._rename(name)
