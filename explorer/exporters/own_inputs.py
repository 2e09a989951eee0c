"""Makes an export take the same inputs as the model: several inputs one by one, though they were measured in
one row.
"""

import copy
import operator
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import fx, nn

from ..compaction.fixed_batch import run_in_portions
from ..values.inputs import InputPart, sizes

aten = torch.ops.aten
SHAPING = (aten.view.default, aten.reshape.default)


def taken_apart(model: nn.Module, parts: Sequence[InputPart], batch: int | None = None) -> nn.Module:
    """Return the same compact model, called with one tensor per input; for one input, or without a graph, the
    model itself.

    Tensors are shared, and the given model is not changed.

    Args:
        batch: the only batch size that its graph reads, if there is only one.
    """
    if len(parts) < 2 or not isinstance(model, fx.GraphModule):
        return model
    own = [*model.parameters(), *model.buffers()]
    root = copy.deepcopy(model, {id(tensor): tensor for tensor in own})
    root.graph = _Rewired(model.graph, parts).graph()
    root._forward_pre_hooks.clear()  # they check the row
    if batch is not None:
        run_in_portions(root, batch)
    return root.eval()


class _Rewired:
    """A graph with separate inputs; where the row was split, nothing is computed now."""

    def __init__(self, old: fx.Graph, parts: Sequence[InputPart]):
        self.old, self.parts, self.new = old, parts, fx.Graph()
        self.row = next(node for node in old.nodes if node.op == "placeholder")
        self.given = [self.new.placeholder(part.name) for part in parts]
        self.pieces = dict(self._pieces())
        self.values: dict[fx.Node, Any] = {}

    def graph(self) -> fx.Graph:
        """Return the whole graph."""
        skipped = {self.row, *self.pieces, *(piece.args[0] for piece in self.pieces)}
        for node in self.old.nodes:
            if node in skipped:
                continue
            shaped = self._input_of(node)
            if shaped is not None:
                self.values[node] = shaped
            elif node.target is aten.sym_size.int and node.args == (self.row, 0):
                self.values[node] = self.new.call_function(aten.sym_size.int, (self.given[0], 0))
            else:
                self.values[node] = self.new.node_copy(node, self._value)
        self.new.lint()
        return self.new

    def _pieces(self) -> Iterator[tuple[fx.Node, int]]:
        """Return the nodes that are one input's piece of the row, and which input that is."""
        for split in self.row.users:
            args: Any = split.args
            whole = split.target is aten.split_with_sizes.default and list(args[1]) == sizes(self.parts)
            if whole and all(user.target is operator.getitem for user in split.users):
                yield from ((user, user.args[1]) for user in split.users)  # type: ignore[misc]

    def _input_of(self, node: fx.Node) -> fx.Node | None:
        """Return the input itself if a node only restores the shape of its piece."""
        args: Any = node.args
        if node.target not in SHAPING or args[0] not in self.pieces:
            return None
        index = self.pieces[args[0]]
        return self.given[index] if list(args[1]) == [-1, *self.parts[index].shape] else None

    def _value(self, node: fx.Node) -> fx.Node:
        if node not in self.values and node in self.pieces:
            self.values[node] = self._flat(self.pieces[node])
        if node not in self.values and node is self.row:  # it is read in another way
            flat = [self._flat(index) for index in range(len(self.parts))]
            fractions = [self.new.call_function(aten.to.dtype, (one, torch.float32)) for one in flat]
            self.values[node] = self.new.call_function(aten.cat.default, (fractions, 1))
        found: fx.Node = self.values[node]
        return found

    def _flat(self, index: int) -> fx.Node:
        return self.new.call_function(aten.flatten.using_ints, (self.given[index], 1))
