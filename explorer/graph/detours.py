"""Finds which nodes must run again when one part is pruned: a head that differs from ratio to ratio, and a
tail that the ratios share.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import fx

from .coupling import Coupling
from .export import ModelGraph
from .nodes import IGNORED, op_name
from .program import OpenSize, Shaped, output_of
from .rules.call import labelled

BatchKind = Literal["batched", "shared", "count"]


@dataclass(frozen=True, eq=False)
class Detour:
    """The nodes of the dense graph, in its order, that run again for one part; all others keep their dense
    values.

    Args:
        head: those that read a pruned tensor or have a narrower value, and the nodes between them.
        tail: the nodes after it; its tensors and widths are those of the dense model for every ratio.
        joints: values of the head that the tail reads, or the model's output.
        output: the node of the model's output; it may be outside (then nothing that matters was touched).
    """

    head: tuple[fx.Node, ...]
    tail: tuple[fx.Node, ...]
    joints: tuple[fx.Node, ...]
    output: fx.Node


def working_nodes(graph: ModelGraph) -> tuple[fx.Node, ...]:
    """Return the nodes that compute something, in order."""
    assert graph.program is not None
    nodes = graph.program.graph.nodes
    return tuple(node for node in nodes if node.op == "call_function" and op_name(node.target) not in IGNORED)


def output_node(graph: ModelGraph) -> fx.Node:
    """Return the node of the first output."""
    assert graph.program is not None
    outputs: Any = next(node for node in graph.program.graph.nodes if node.op == "output").args[0]
    return outputs[0]


def whole(graph: ModelGraph) -> Detour:
    """Return a detour in which everything runs again."""
    output = output_node(graph)
    return Detour(working_nodes(graph), (), (output,), output)


def detour(graph: ModelGraph, tensors: Iterable[str], group: str | None = None) -> Detour:
    """Return the detour of a part.

    Args:
        tensors: names of the parameters and buffers that are masked or cut.
        group: the coupled group whose units are removed, or None for single weights.
    """
    assert graph.coupling is not None
    read = _placeholders(graph, set(tensors))
    narrow = _narrow_values(graph.coupling, group)
    touched, again = set(), set()
    nodes, output = working_nodes(graph), output_node(graph)
    for node in nodes:
        inputs = node.all_input_nodes
        if node.name in narrow or any(n.name in read or n.name in narrow for n in inputs):
            touched.add(node)
        if node in touched or any(n in again for n in inputs):
            again.add(node)
    head = set(touched)
    for node in reversed(nodes):
        if node in again and any(user in head for user in node.users):
            head.add(node)
    tail = again - head
    joints = tuple(n for n in nodes if n in head and (n is output or any(user in tail for user in n.users)))

    def in_order(chosen):
        return tuple(n for n in nodes if n in chosen)

    return Detour(in_order(head), in_order(tail), joints, output)


def _placeholders(graph: ModelGraph, tensors: set[str]) -> set[str]:
    """Return the graph's names of these tensors."""
    assert graph.program is not None
    return {placeholder for placeholder, name in graph.program.tensors.items() if name in tensors}


def _narrow_values(coupling: Coupling, group: str | None) -> set[str]:
    """Return the nodes whose value has a label of the group, so that some dimension of it shrinks."""
    if group is None:
        return set()
    own = torch.zeros(int(coupling.unit_class.max()) + 1, dtype=torch.bool)
    own[coupling.classes[group]] = True
    labels = own[coupling.unit_class]

    def holds(array):
        return bool((labels[array.clamp(min=0)] & (array >= 0)).any())

    return {
        name
        for name, value in coupling.values.items()
        if any(holds(a) for v in labelled([value]) for a in v.arrays)
    }


# --------------------------------------------------------------------------- in place


def functional(target: Any) -> Any:
    """Return the operator that does the same without writing into its input (relu for relu_), or None; others
    as they are.
    """
    if not isinstance(target, torch._ops.OpOverload) or not target._schema.is_mutable:
        return target
    packet = getattr(torch.ops.aten, op_name(target).removesuffix("_"), None)
    found = getattr(packet, target._overloadname, None) if op_name(target).endswith("_") else None
    return found if found is not None and not found._schema.is_mutable else None


def can_start_anywhere(graph: ModelGraph) -> bool:
    """Whether no node changes a value that another still needs, so that a dense value may be kept and read
    later.
    """
    return all(_writes_nothing_shared(node) for node in working_nodes(graph))


def _writes_nothing_shared(node: fx.Node) -> bool:
    target: Any = node.target
    if functional(target) is target:
        return True
    written: Any = node.args[0] if node.args else None
    if functional(target) is None or not isinstance(written, fx.Node) or len(written.users) > 1:
        return False
    return written.op == "call_function" and not _is_view(written.target)


def _is_view(target: Any) -> bool:
    """Whether its result may share memory with its input."""
    returns = target._schema.returns if isinstance(target, torch._ops.OpOverload) else ()
    return not returns or any(
        value.alias_info is not None and not value.alias_info.is_write for value in returns
    )


# --------------------------------------------------------------------------- stacking


def batch_kind(node: fx.Node) -> BatchKind | None:
    """Return how a value depends on the batch.

    "batched": its first dimension is a multiple of the batch and no other depends on it; "shared": it does
    not depend on it; "count": it is such a multiple, as a number. None: in another way, so that samples
    cannot be stacked through it.
    """
    value = output_of(node)
    if isinstance(value, OpenSize):
        return "count" if value.times is not None else None
    if isinstance(value, int | float | bool):
        return "shared"
    if not isinstance(value, Shaped):
        return None
    symbolic = [d for d, size in enumerate(value.shape) if isinstance(size, OpenSize)]
    if not symbolic:
        return "shared"
    first = value.shape[0]
    return "batched" if symbolic == [0] and isinstance(first, OpenSize) and first.times is not None else None


def can_be_stacked(path: Detour, inputs: Iterable[fx.Node]) -> bool:
    """Whether several ratios may run through the tail as one larger batch: each value of it belongs to one
    sample, or to none.
    """
    if not path.tail or any(batch_kind(joint) != "batched" for joint in path.joints):
        return False
    return all(_kinds(node) for node in (*inputs, *path.tail))


def _kinds(node: fx.Node) -> bool:
    if isinstance(output_of(node), list | tuple):  # a split, whose pieces are checked one by one
        return True
    return batch_kind(node) is not None
