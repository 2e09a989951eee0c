"""Runs a graph node by node with all batches side by side, and stops between any two nodes.

Values are released once nothing reads them any more, so memory grows with the width of one place, not with
the depth.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx

from ..graph.detours import functional
from .contractions import attribute

Values = tuple[dict[str, Any], ...]  # one dict per batch: node -> value


class Lockstep:
    """All batches at one place of a graph.

    Args:
        model: may change between two steps; what has run keeps its values.
        batches: of inputs; at least one.
    """

    def __init__(self, model: fx.GraphModule, batches: Sequence[Tensor]):
        self.model, self.nodes = model, tuple(model.graph.nodes)
        self.places = {node.name: place for place, node in enumerate(self.nodes)}
        self._last = {n: place for place, node in enumerate(self.nodes) for n in node.all_input_nodes}
        self._inputs = tuple(batches)
        self.place = 0
        self.values: Values = tuple({} for _ in batches)

    def behind(self, name: str) -> list[Any]:
        """Return the values of a node, one per batch; the walk stops right behind it, unless it is already
        further.
        """
        self.advance(self.places[name] + 1)
        return [held[name] for held in self.values]

    def before(self, name: str) -> None:
        """Stop right before a node."""
        self.advance(self.places[name])

    def advance(self, place: int) -> None:
        """Run the nodes up to a place."""
        for at in range(self.place, place):
            self._run(at)
        self.place = max(self.place, place)

    @torch.no_grad()
    def _run(self, at: int) -> None:
        node = self.nodes[at]
        for batch, held in enumerate(self.values):
            if node.op != "output":
                held[node.name] = self._value(node, held, batch)
        self._let_go(at)

    def _let_go(self, at: int) -> None:
        """Release what nothing reads behind a place."""
        for node in self.nodes[at].all_input_nodes:
            if self._last[node] == at:
                for held in self.values:
                    held.pop(node.name, None)

    def _value(self, node: fx.Node, held: dict[str, Any], batch: int) -> Any:
        if node.op == "placeholder":
            return self._inputs[batch]
        if node.op == "get_attr":
            return attribute(self.model, str(node.target))

        def look_up(item: Any) -> Any:
            return fx.node.map_arg(item, lambda n: held[n.name])

        args, kwargs = look_up(node.args), look_up(node.kwargs)
        if node.op == "call_module":
            return self.model.get_submodule(str(node.target))(*args, **kwargs)
        target: Any = functional(node.target) or node.target
        return target(*args, **kwargs)

    def tried(self, name: str) -> list[Any]:
        """Return what a node would give now, one per batch; the walk is right before it and stays there."""
        node = self.nodes[self.places[name]]
        with torch.no_grad():
            return [self._value(node, held, batch) for batch, held in enumerate(self.values)]

    def step_over(self, name: str, values: Sequence[Any]) -> None:
        """Use these as the values of the next node."""
        for held, value in zip(self.values, values, strict=True):
            held[name] = value
        self._let_go(self.place)
        self.place += 1

    def kept(self) -> tuple[int, Values]:
        """Return the current state, to come back to."""
        return self.place, tuple(dict(held) for held in self.values)

    def back(self, kept: tuple[int, Values]) -> None:
        """Go back to an earlier state."""
        self.place, self.values = kept[0], tuple(dict(held) for held in kept[1])

    def renew(self) -> None:
        """Read weights of the model again: what is held may be another model's."""
        own = {node.name: str(node.target) for node in self.nodes if node.op == "get_attr"}
        for held in self.values:
            held.update({name: attribute(self.model, own[name]) for name in held if name in own})
