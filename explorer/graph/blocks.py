"""Residual branches: x + f(x), where what f reads is x and what f makes is read by the sum alone.

Taking one away leaves x. Attention and MLP branches of transformers, blocks of residual networks with an
identity shortcut and inverted residuals are of this form; a shortcut that projects is not, since nothing of
the right shape is left.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import torch
from torch import Tensor, fx

from ..values.profile import Block
from .nodes import IGNORED, layer_of, op_name, where

SUMS = ("add", "add_")
PROJECTED = "its shortcut changes what it reads, so nothing of the same meaning is left without it"
SHARED = "a part of it is also read elsewhere"


@dataclass(frozen=True, eq=False)
class ResidualBranch:
    """One residual branch of the graph.

    Args:
        block: what is known of it.
        total: the sum; start: what stays when the branch goes.
        nodes: the branch, in the order of the graph.
    """

    block: Block
    total: fx.Node
    start: fx.Node
    nodes: tuple[fx.Node, ...]


def branches(program: torch.export.ExportedProgram, macs: Mapping[str, int]) -> tuple[ResidualBranch, ...]:
    """Return the residual branches of a graph, in the order of their sums.

    Args:
        macs: node -> multiply-adds of one sample.
    """
    finder = _Finder(program, macs)
    return _named(
        [found for node in program.graph.nodes if (found := finder.at(node)) is not None], finder.sizes
    )


class _Finder:
    """Ancestors of each node, and which of them are tensors of the model."""

    def __init__(self, program: torch.export.ExportedProgram, macs: Mapping[str, int]):
        signature = program.graph_signature
        self.names = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        self.sizes = {
            name: program.state_dict[name].numel()
            for name in signature.inputs_to_parameters.values()
            if name in program.state_dict
        }
        self.nodes = tuple(program.graph.nodes)
        self.order = {node: place for place, node in enumerate(self.nodes)}
        self.macs = macs
        self._above: dict[fx.Node, frozenset[fx.Node]] = {}
        for node in self.nodes:
            own = [n for n in node.all_input_nodes if n.name not in self.names]
            self._above[node] = frozenset(own).union(*(self._above[n] for n in own))

    def at(self, node: fx.Node) -> ResidualBranch | None:
        """The branch that ends in a sum of two values of one shape."""
        if op_name(node.target) not in SUMS or len(node.args) < 2 or node.kwargs.get("alpha", 1) != 1:
            return None
        one, other = node.args[:2]
        if not isinstance(one, fx.Node) or not isinstance(other, fx.Node) or not _alike(one, other):
            return None
        if one in self._above[other]:
            return self._branch(node, one, other)
        if other in self._above[one]:
            return self._branch(node, other, one)
        shared = self._above[one] & self._above[other]
        if not shared:
            return None
        start = max(shared, key=self.order.__getitem__)
        longer = max((one, other), key=lambda end: len(self._above[end] - self._above[start]))
        return self._made(node, start, self._between(longer, start), PROJECTED)

    def _between(self, end: fx.Node, start: fx.Node) -> tuple[fx.Node, ...]:
        """What the end needs beyond what the start needs."""
        inside = (self._above[end] | {end}) - self._above[start] - {start}
        return tuple(sorted(inside, key=self.order.__getitem__))

    def _branch(self, total: fx.Node, start: fx.Node, end: fx.Node) -> ResidualBranch | None:
        inside = self._between(end, start)
        own = set(inside)
        if not own or not any(n.name in self.names for node in inside for n in node.all_input_nodes):
            return None  # no weight goes with it
        outside = {
            n for node in inside for n in node.all_input_nodes if n not in own and n.name not in self.names
        }
        outside = {n for n in outside if n is not start and isinstance(n.meta.get("val"), Tensor)}
        readers = {user for node in inside for user in node.users if user not in own and user is not total}
        readers = {user for user in readers if op_name(user.target) not in IGNORED}
        reason = PROJECTED if outside else SHARED if readers else None
        return self._made(total, start, inside, reason)

    def _made(
        self, total: fx.Node, start: fx.Node, inside: Sequence[fx.Node], reason: str | None
    ) -> ResidualBranch | None:
        own = set(inside)
        tensors = [
            self.names[n.name]
            for node in inside
            for n in node.all_input_nodes
            if n.name in self.names and set(n.users) <= own
        ]
        tensors = list(dict.fromkeys(tensors))
        if not tensors:
            return None
        params = sum(self.sizes.get(name, 0) for name in tensors)
        macs = sum(self.macs.get(node.name, 0) for node in inside)
        name = _common(layer_of(tensor) for tensor in tensors)
        block = Block(name, where(start), params, macs, tuple(tensors), reason)
        return ResidualBranch(block, total, start, tuple(inside))


def _alike(one: fx.Node, other: fx.Node) -> bool:
    a, b = one.meta.get("val"), other.meta.get("val")
    return isinstance(a, Tensor) and isinstance(b, Tensor) and tuple(a.shape) == tuple(b.shape)


def _common(names: Iterable[str]) -> str:
    """The module that holds all of these.

    >>> _common(["layer1.0.conv1", "layer1.0.bn1"]), _common(["a.fc"])
    ('layer1.0', 'a.fc')
    """
    parts = [name.split(".") for name in names]
    alike = takewhile(lambda level: len(set(level)) == 1, zip(*parts, strict=False))
    return ".".join(level[0] for level in alike)


def _named(found: Sequence[ResidualBranch], sizes: Mapping[str, int]) -> tuple[ResidualBranch, ...]:
    """Give each a name of its own: branches of one module are called by its largest part."""
    alike = [one.block.name for one in found]
    named: list[ResidualBranch] = []
    for one in found:
        name = one.block.name
        if alike.count(name) > 1 or not name:
            name = _heaviest(one.block, sizes)
        taken = sum(other.block.name.partition("#")[0] == name for other in named)
        name = f"{name}#{taken + 1}" if taken else name
        named.append(replace(one, block=replace(one.block, name=name)))
    return tuple(named)


def _heaviest(block: Block, sizes: Mapping[str, int]) -> str:
    """The part below the common module that holds most parameters."""
    depth = len(block.name.split(".")) if block.name else 0
    below: dict[str, int] = {}
    for tensor in block.tensors:
        part = ".".join(layer_of(tensor).split(".")[: depth + 1])
        below[part] = below.get(part, 0) + sizes.get(tensor, 0)
    return max(below, key=lambda part: below[part])
