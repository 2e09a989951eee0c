"""Rewrites operators without a rule as operators that have one, if torch itself knows how.

The rest of the graph stays as it was exported: each such step is traced alone, and put in its place.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._decomp import decomposition_table
from torch.utils._pytree import tree_map

from .nodes import op_name
from .quiet import without_log, without_origins

DEPTH = 3  # an operator may be rewritten as one that is itself rewritten
Known = Callable[[Any], bool]


class _Alone(nn.Module):
    """One step of a graph, as a model that takes its tensors."""

    def __init__(self, node: fx.Node, sources: Sequence[fx.Node]):
        super().__init__()
        self.node, self.sources = node, sources

    def forward(self, *tensors: Tensor) -> Any:
        values = dict(zip(self.sources, tensors, strict=True))
        args: Any = fx.node.map_arg(self.node.args, values.__getitem__)
        kwargs: Any = fx.node.map_arg(self.node.kwargs, values.__getitem__)
        target: Any = self.node.target
        return target(*args, **kwargs)


def write_out_unknown(module: fx.GraphModule, known: Known) -> None:
    """Replace steps that have no rule by steps that have one, if torch can; the graph is changed.

    Args:
        known: whether there is a rule for an operator.
    """
    for node in list(module.graph.nodes):
        if _is_unknown(node, known):
            _write_out(module.graph, node, known, DEPTH)


def _is_unknown(node: fx.Node, known: Known) -> bool:
    target: Any = node.target
    if node.op != "call_function" or not isinstance(target, torch._ops.OpOverload) or known(target):
        return False
    random = torch.Tag.nondeterministic_seeded in target.tags  # another order of draws gives other numbers
    tensors = isinstance(node.meta.get("val"), Tensor | list | tuple)
    return tensors and not random and not target._schema.is_mutable and op_name(target) != ""


def _write_out(graph: fx.Graph, node: fx.Node, known: Known, depth: int) -> None:
    sources = node.all_input_nodes
    if not all(isinstance(source.meta.get("val"), Tensor) for source in sources):
        return
    inner = _steps(node, sources, known, depth)
    if inner is None:
        return
    places = [n for n in inner.nodes if n.op == "placeholder"]
    with graph.inserting_before(node):
        copies: Any = dict(zip(places, sources, strict=True))
        for step in inner.nodes:
            if step.op == "call_function":
                copies[step] = graph.node_copy(step, copies.__getitem__)
                _describe(copies[step], node)
        results = fx.node.map_arg(
            next(n for n in inner.nodes if n.op == "output").args[0], copies.__getitem__
        )
    _hand_over(graph, node, results)


def _steps(node: fx.Node, sources: Sequence[fx.Node], known: Known, depth: int) -> fx.Graph | None:
    """Return the steps that do the same, all of them known, or None if torch has none."""
    try:
        module = _traced(node, sources)
    except Exception:  # tracing runs foreign code on tensors without values; then the step stays as it is
        return None
    left = [n for n in module.graph.nodes if _is_unknown(n, known)]
    if depth > 1 and any(n.target is not node.target for n in left):
        for step in left:
            _write_out(module.graph, step, known, depth - 1)
        left = [n for n in module.graph.nodes if _is_unknown(n, known)]
    readable = all(n.op != "get_attr" for n in module.graph.nodes)
    return module.graph if readable and not left else None


def _traced(node: fx.Node, sources: Sequence[fx.Node]) -> fx.GraphModule:
    """Return one step by itself, in terms of others; sizes that depend on the batch stay open."""
    values = [source.meta["val"] for source in sources]
    given = tuple(torch.zeros([_hint(s) for s in v.shape], dtype=v.dtype) for v in values)
    shapes = tuple(
        {d: torch.export.Dim.AUTO for d, s in enumerate(v.shape) if not isinstance(s, int)} for v in values
    )
    with torch.no_grad(), without_log(), without_origins():
        program = torch.export.export(_Alone(node, sources), given, dynamic_shapes=(shapes,), strict=False)
        target: Any = node.target
        own = {target: _book()[target]} if target in _book() else {}
        return program.run_decompositions(own).graph_module


@cache
def _book() -> Mapping[Any, Any]:
    """Return what torch can rewrite in terms of other operators."""
    default: Any = torch.export.default_decompositions()
    return {**decomposition_table, **{key: default[key] for key in list(default)}}


def _hint(size: Any) -> int:
    return size if isinstance(size, int) else int(size.node.hint)


def _describe(step: fx.Node, node: fx.Node) -> None:
    """Return value and place of a new step, in the symbols of the whole graph."""
    step.meta = {key: value for key, value in node.meta.items() if key != "val"}
    args: Any = fx.node.map_arg(step.args, lambda n: n.meta["val"])
    kwargs: Any = fx.node.map_arg(step.kwargs, lambda n: n.meta["val"])
    target: Any = step.target
    mode = next((v.fake_mode for v in _fakes([args, kwargs])), None)
    if mode is None:
        mode = next(v.fake_mode for v in _fakes([s.meta["val"] for s in node.all_input_nodes]))
    with mode, torch.no_grad():
        step.meta["val"] = target(*args, **kwargs)


def _fakes(values: Any) -> list[Any]:
    found: list[Any] = []
    tree_map(lambda v: found.append(v) if hasattr(v, "fake_mode") else None, values)
    return found


def _hand_over(graph: fx.Graph, node: fx.Node, results: Any) -> None:
    """Make all readers of the step read its replacement."""
    several = isinstance(node.meta["val"], list | tuple)
    for user in list(node.users) if several else []:
        user.replace_all_uses_with(results[user.args[1]])
        graph.erase_node(user)
    if not several:
        node.replace_all_uses_with(results[0] if isinstance(results, list | tuple) else results)
    graph.erase_node(node)
