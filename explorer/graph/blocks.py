"""Residual branches: x + f(x), where what f makes is read by the sum alone, so that without it x is left.

Attention and MLP branches of transformers, blocks of residual networks with an identity shortcut and inverted
residuals are of this form; a shortcut that projects is not, since nothing of the right meaning is left.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from math import prod

import torch
from torch import fx

from ..values.profile import Block
from .nodes import IGNORED, layer_of, op_name, where
from .program import Program, Shaped, output_of

SUMS = ("add", "add_")
PROJECTED = "its shortcut changes what it reads, so nothing of the same meaning is left without it"
SHARED = "a part of it is also read elsewhere"


@dataclass(frozen=True, eq=False)
class ResidualBranch:
    """One residual branch of the graph.

    Args:
        block: what is known about it.
        total: the sum; start: what is left of the sum without the branch.
        nodes: the branch, in the order of the graph.
    """

    block: Block
    total: fx.Node
    start: fx.Node
    nodes: tuple[fx.Node, ...]


def branches(program: Program, macs: Mapping[str, int]) -> tuple[ResidualBranch, ...]:
    """Return the residual branches of a graph, in the order of their sums.

    Args:
        macs: node -> multiply-adds of one sample.
    """
    finder = _Finder(program, macs)
    named = [branch for node in finder.nodes if (branch := finder.at(node)) is not None]
    return _named(named, finder.sizes)


class _Finder:
    """The nodes of a graph, and for each of them, as the bits of a number, those that it depends on."""

    def __init__(self, program: Program, macs: Mapping[str, int]):
        self.names = program.tensors
        self.sizes = {
            program.parameters[node.name]: prod(output_of(node).shape)
            for node in program.graph.nodes
            if node.name in program.parameters
        }
        self.nodes = tuple(program.graph.nodes)
        self.macs = macs
        self._bits = {node: 1 << place for place, node in enumerate(self.nodes)}
        self._above: dict[fx.Node, int] = {}
        self._streams: dict[fx.Node, fx.Node] = {}  # sum -> what is left of it without its branch
        for node in self.nodes:
            above = 0
            for source in node.all_input_nodes:
                if source.name not in self.names:
                    above |= self._above[source] | self._bits[source]
            self._above[node] = above

    def at(self, node: fx.Node) -> ResidualBranch | None:
        """Return the branch that ends in a sum of two values of one shape."""
        if op_name(node.target) not in SUMS or len(node.args) < 2 or node.kwargs.get("alpha", 1) != 1:
            return None
        one, other = node.args[:2]
        if not isinstance(one, fx.Node) or not isinstance(other, fx.Node) or not _alike(one, other):
            return None
        for left, end in ((one, other), (other, one)):
            for read in self._stream(left):
                if self._above[end] & self._bits[read]:
                    self._streams[node] = left
                    return self._branch(node, left, end, read)
        return self._projected(node, one, other)

    def _stream(self, node: fx.Node) -> Iterator[fx.Node]:
        """Return a value, and what it was before other branches were added to it, latest first."""
        while node is not None:
            yield node
            node = self._streams.get(node)  # type: ignore[assignment]

    def _projected(self, total: fx.Node, one: fx.Node, other: fx.Node) -> ResidualBranch | None:
        """Return the branch of a sum whose shortcut is a single layer, or none."""
        shared = self._above[one] & self._above[other]
        if not shared:
            return None
        read = self.nodes[shared.bit_length() - 1]
        paths = [self._between(end, read) for end in (one, other)]
        layers = [sum(self.macs.get(node.name, 0) > 0 for node in path) for path in paths]
        if min(layers) > 1 or max(layers) < 1:
            return None
        longer = paths[0] if layers[0] >= layers[1] else paths[1]
        return self._made(total, read, read, longer, PROJECTED)

    def _between(self, end: fx.Node, read: fx.Node) -> tuple[fx.Node, ...]:
        """Return what the end needs beyond what it reads, in the order of the graph."""
        inside = (self._above[end] | self._bits[end]) & ~self._above[read] & ~self._bits[read]
        return tuple(self._listed(inside))

    def _listed(self, bits: int) -> Iterator[fx.Node]:
        while bits:
            lowest = bits & -bits
            yield self.nodes[lowest.bit_length() - 1]
            bits ^= lowest

    def _branch(self, total: fx.Node, left: fx.Node, end: fx.Node, read: fx.Node) -> ResidualBranch | None:
        inside = tuple(n for n in self._between(end, read) if not self._above[left] & self._bits[n])
        own = set(inside)
        readers = {node: [u for u in node.users if u not in own and u is not total] for node in inside}
        outward = [
            node for node in inside if any(op_name(user.target) not in IGNORED for user in readers[node])
        ]
        stays = 0  # what others read too, such as a norm before two branches
        for node in outward:
            stays |= self._above[node] | self._bits[node]
        kept = [node for node in inside if self._bits[node] & stays]
        shared = end in kept or any(self.macs.get(node.name, 0) for node in kept)
        if not shared:
            inside = tuple(node for node in inside if node not in set(kept))
        return self._made(total, left, read, inside, SHARED if shared else None)

    def _made(
        self, total: fx.Node, left: fx.Node, read: fx.Node, inside: Sequence[fx.Node], reason: str | None
    ) -> ResidualBranch | None:
        """Return the branch, or None if no weight belongs to it alone."""
        own = set(inside)
        tensors = dict.fromkeys(
            self.names[source.name]
            for node in inside
            for source in node.all_input_nodes
            if source.name in self.names and set(source.users) <= own
        )
        if not tensors:
            return None
        params = sum(self.sizes.get(name, 0) for name in tensors)
        macs = sum(self.macs.get(node.name, 0) for node in inside)
        name = _common(layer_of(tensor) for tensor in tensors)
        block = Block(name, where(read), params, macs, tuple(tensors), reason)
        return ResidualBranch(block, total, left, tuple(inside))


def _alike(one: fx.Node, other: fx.Node) -> bool:
    a, b = output_of(one), output_of(other)
    return isinstance(a, Shaped) and isinstance(b, Shaped) and a.shape == b.shape


def _common(names: Iterable[str]) -> str:
    """Return the module that holds all of these.

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
    """Return the part below the common module that holds most parameters."""
    depth = len(block.name.split(".")) if block.name else 0
    below: dict[str, int] = {}
    for tensor in block.tensors:
        part = ".".join(layer_of(tensor).split(".")[: depth + 1])
        below[part] = below.get(part, 0) + sizes.get(tensor, 0)
    return max(below, key=lambda part: below[part])


# --------------------------------------------------------------------------- without some of them


def sums_without(found: Iterable[ResidualBranch], names: Iterable[str]) -> dict[fx.Node, fx.Node]:
    """Return, for the sum of each removed branch, what is left of it."""
    chosen = set(names)
    return {one.total: one.start for one in found if one.block.name in chosen}


def nodes_without(
    program: Program, found: Sequence[ResidualBranch], names: Iterable[str]
) -> frozenset[fx.Node]:
    """Return the nodes that nothing needs any more without some branches."""
    left, inside = sums_without(found, names), set[fx.Node]()
    for one in found:
        if one.total in left:
            inside.update(one.nodes)
    if not left:
        return frozenset()
    needed = _needed(program, left, inside)
    gone = _needed(program, {}, set()) - needed - set(left)
    for node in program.graph.nodes:  # what nobody reads in the whole model either, such as a size
        if node not in needed and node not in left and gone.intersection(node.all_input_nodes):
            gone.add(node)
    return frozenset(gone)


def _needed(program: Program, left: Mapping[fx.Node, fx.Node], inside: set[fx.Node]) -> set[fx.Node]:
    """Return the nodes that the outputs need, and those that write into a value, unless they are inside."""
    seen: set[fx.Node] = set()
    todo = [
        node for node in program.graph.nodes if node.op == "output" or (_writes(node) and node not in inside)
    ]
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            todo += [left[node]] if node in left else node.all_input_nodes
    return seen


def _writes(node: fx.Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def is_overwritten(left: Mapping[fx.Node, fx.Node], gone: frozenset[fx.Node], total: fx.Node) -> bool:
    """Whether an operator that writes into a removed sum would write into a value that others read.

    Args:
        left, gone: of the branches that are removed.
    """
    if not _written(total):
        return False
    root = _root(left, total)
    same = [root, *(one for one in left if _root(left, one) is root)]
    readers = {user for node in same for user in node.users if user not in gone and user not in left}
    return len(readers) > 1 or root.op == "placeholder" or _is_view(root)


def _root(left: Mapping[fx.Node, fx.Node], node: fx.Node) -> fx.Node:
    while node in left:
        node = left[node]
    return node


def _is_view(node: fx.Node) -> bool:
    if not isinstance(node.target, torch._ops.OpOverload):
        return True
    returned = (value.alias_info for value in node.target._schema.returns)
    return any(alias is not None and not alias.is_write for alias in returned)


def _written(node: fx.Node) -> bool:
    """Whether some operator writes into a value, or into a view of it."""
    for user in node.users:
        if not user.args or user.args[0] is not node or not isinstance(user.target, torch._ops.OpOverload):
            continue
        schema = user.target._schema
        if schema.is_mutable or (any(value.alias_info for value in schema.returns) and _written(user)):
            return True
    return False
