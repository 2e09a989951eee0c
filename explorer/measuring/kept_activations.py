"""The forward of a pruned model, started where it first differs from the model measured before.

Moving one fader back and forth changes a model only from one place on. The values computed before that place
are kept, batch by batch, while memory allows, and the next forward starts there. The same operators read the
same numbers, so outputs and losses are exactly those of the whole forward.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

from ..graph.detours import can_start_anywhere, functional
from ..graph.export import ModelGraph
from ..graph.running import fixed_batch
from ..machine.cache import Cache
from .evaluation import Forward

KEPT_BYTES = {"cpu": 256 * 2**20, "cuda": 2 * 2**30}
Values = tuple[Any, ...]
_trails = Cache(1, "activations before the last change", max(KEPT_BYTES.values()), growing=True)


@dataclass(eq=False)
class Trail:
    """What was measured last.

    Args:
        max_bytes: of kept activations; later batches run whole.
        model: the last one.
        kept: (first sample, one past the last) -> place in the graph, and the values that are read from there
            on.
        bytes: of the kept values.
    """

    max_bytes: int
    model: nn.Module | None = None
    kept: dict[tuple[int, int], tuple[int, Values]] = field(default_factory=dict)
    bytes: int = 0

    def follow(self, model: nn.Module, place: int) -> None:
        """Switch to another model, equal up to a place; values kept beyond it are released."""
        self.model = model
        self.kept = {batch: found for batch, found in self.kept.items() if found[0] <= place}
        self.bytes = sum(_bytes(values) for _, values in self.kept.values())

    def keep(self, batch: tuple[int, int], place: int, values: Values) -> None:
        """Keep the values of a batch in place of its earlier ones, if there is room."""
        grown = self.bytes + _bytes(values) - _bytes(self.kept.get(batch, (0, ()))[1])
        if grown <= self.max_bytes:
            self.kept[batch], self.bytes = (place, values), grown


def _bytes(values: Values) -> int:
    return sum(value.nbytes for value in values if isinstance(value, Tensor))


def trail_for(key: Any, device: str) -> Trail:
    """Return the trail of a repeated measurement; only the last one is kept.

    Args:
        key: everything that activations depend on besides the model: data, device, dtype.
    """
    found: Trail | None = _trails.get(key)
    return found or _trails.put(key, Trail(KEPT_BYTES.get(torch.device(device).type, KEPT_BYTES["cpu"])))


def resumed(trail: Trail, model: nn.Module, dense: nn.Module, graph: ModelGraph) -> Forward | None:
    """Return a forward that starts with what the trail has kept, and keeps values for the next; None if
    nothing can be shared.

    Args:
        dense: replaces the last model if there is none.
    """
    last = trail.model or dense
    if not (isinstance(model, fx.GraphModule) and isinstance(last, fx.GraphModule) and _can_be_parted(graph)):
        return None
    place = first_difference(last, model)
    trail.follow(model, place)
    walk = _Walk(model)
    if not any(node.op == "call_module" for node in walk.nodes[:place]) or place >= len(walk.nodes) - 1:
        return None

    def forward(start: int, stop: int, read: Callable[[], Tensor]) -> Tensor:
        if trail.model is not model:  # another measurement has taken over the trail
            return model(read())
        found = trail.kept.get((start, stop))
        values = walk.run(*found, place) if found else walk.run(0, (read(),), place)
        trail.keep((start, stop), place, values)
        return walk.run(place, values, len(walk.nodes))[0]

    return forward


def _can_be_parted(graph: ModelGraph) -> bool:
    """Whether no value is overwritten, and batches run whole, not in portions of one size."""
    return graph.program is not None and can_start_anywhere(graph) and fixed_batch(graph.program) is None


def first_difference(a: fx.GraphModule, b: fx.GraphModule) -> int:
    """Return how many nodes of two models, from the first on, compute the same."""
    twins: dict[fx.Node, fx.Node] = {}
    for index, (one, other) in enumerate(zip(a.graph.nodes, b.graph.nodes, strict=False)):
        if not _alike(a, one, b, other, twins):
            return index
        twins[one] = other
    return len(twins)


def _alike(
    a: fx.GraphModule, one: fx.Node, b: fx.GraphModule, other: fx.Node, twins: dict[fx.Node, fx.Node]
) -> bool:
    if (one.op, one.target) != (other.op, other.target):
        return False
    if fx.node.map_arg((one.args, one.kwargs), twins.__getitem__) != (other.args, other.kwargs):
        return False
    if one.op == "get_attr":
        return _equal(_attribute(a, str(one.target)), _attribute(b, str(other.target)))
    return one.op != "call_module" or _equal_modules(
        a.get_submodule(str(one.target)), b.get_submodule(str(other.target))
    )


def _attribute(model: nn.Module, name: str) -> Any:
    for part in name.split("."):
        model = getattr(model, part)
    return model


def _equal_modules(a: nn.Module, b: nn.Module) -> bool:
    states = a.state_dict(keep_vars=True), b.state_dict(keep_vars=True)
    return (
        repr(a) == repr(b)
        and list(states[0]) == list(states[1])
        and all(map(_equal, *(s.values() for s in states)))
    )


def _equal(a: Tensor, b: Tensor) -> bool:
    return a is b or (a.shape == b.shape and torch.equal(a, b))


class _Walk:
    """Stretches of a model's graph, each built when it is first run."""

    def __init__(self, model: fx.GraphModule):
        self._model, self.nodes = model, tuple(model.graph.nodes)
        self._made: dict[tuple[int, int], fx.GraphModule] = {}

    def run(self, start: int, values: Values, stop: int) -> Values:
        """Run from the values that are read from `start` on to those that are read from `stop` on, or to the
        outputs.
        """
        if start == stop:
            return values
        if (start, stop) not in self._made:
            self._made[start, stop] = self._stretch(start, stop)
        return self._made[start, stop](*values)

    def _living(self, place: int) -> tuple[fx.Node, ...]:
        """Return the nodes before a place that are read from there on, without weights."""
        read = {n for node in self.nodes[place:] for n in node.all_input_nodes}
        return tuple(n for n in self.nodes[:place] if n in read and n.op != "get_attr")

    def _stretch(self, start: int, stop: int) -> fx.GraphModule:
        stretch = fx.Graph()
        given = self._living(start) if start else self.nodes[:1]
        copies: dict[fx.Node, fx.Node] = {node: stretch.placeholder(node.name) for node in given}
        for node in self.nodes[start or 1 : stop]:
            for weight in (n for n in node.all_input_nodes if n.op == "get_attr" and n not in copies):
                copies[weight] = stretch.node_copy(weight)
            if node.op == "output":
                stretch.output(fx.node.map_arg(node.args, copies.__getitem__))
                break
            copies[node] = stretch.node_copy(node, copies.__getitem__)
            if node.op == "call_function":
                copies[node].target = functional(node.target) or node.target
        else:
            stretch.output(tuple(copies[node] for node in self._living(stop)))
        return fx.GraphModule(self._model, stretch)
