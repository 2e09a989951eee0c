"""Turns the exported graph into layers and joins with connections between them: what a drawing needs, without
its look.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import fx

from ..values.profile import Layer
from .export import ModelGraph
from .nodes import IGNORED, op_name, where
from .program import Shaped, output_of

INPUT, OUTPUT = "input", "output"
JOINS = {
    "add": "+",
    "sub": "-",
    "mul": "×",
    "div": "÷",
    "cat": "joined",
    "stack": "stacked",
    "matmul": "product",
    "bmm": "product",
    "mm": "product",
    "baddbmm": "product",
    "einsum": "product",
    "scaled_dot_product_attention": "attention",
}


@dataclass(frozen=True)
class Place:
    """A layer, a join of several paths, or an end of the model.

    Args:
        name: of the layer, or invented for a join.
        module: dotted name of the module that it is in, "" at the top.
        label: its text, without the module; a mere number keeps the name before it.
        layer: None for joins and ends.
        also: norms that directly follow this layer and are drawn with it.
    """

    name: str
    module: str
    label: str
    layer: Layer | None = None
    also: tuple[Layer, ...] = ()


@dataclass(frozen=True)
class Wiring:
    """Places in the order of the graph, and the connections between them: (from, to) names."""

    places: tuple[Place, ...]
    ways: tuple[tuple[str, str], ...]


def wiring(graph: ModelGraph) -> Wiring:
    """Return the layers of a model and how its data flows between them; empty if there is no graph."""
    return Wiring((), ()) if graph.program is None else _without_norms(_Tracer(graph).trace())


class _Tracer:
    """One pass over the graph: for each node, the places from which its data comes."""

    def __init__(self, graph: ModelGraph):
        assert graph.program is not None
        self.nodes = graph.program.graph.nodes
        self.layers = {layer.name: layer for layer in graph.profile.layers}
        self.tensors = graph.program.tensors
        self.sources: dict[fx.Node, tuple[str, ...]] = {}  # of nodes that have data
        self.owner: dict[fx.Node, str | None] = {}  # of nodes that have only parameters: their layer
        self.places: dict[str, Place] = {}
        self.ways: dict[tuple[str, str], None] = {}

    def trace(self) -> Wiring:
        """Trace all nodes. Steps that return a mere number, such as the size of the batch, carry no data."""
        for node in self.nodes:
            if node.op == "placeholder":
                self._placeholder(node)
            elif node.op == "output":
                self._arrive(Place(OUTPUT, "", OUTPUT), self._coming(node))
            elif op_name(node.target) not in IGNORED and isinstance(output_of(node), Shaped | list | tuple):
                self._step(node)
        return Wiring(tuple(self.places.values()), tuple(self.ways))

    def _placeholder(self, node: fx.Node) -> None:
        if node.name in self.tensors:
            self.owner[node] = self._layer_of(self.tensors[node.name])
            return
        self.places.setdefault(INPUT, Place(INPUT, "", INPUT))
        self.sources[node] = (INPUT,)

    def _layer_of(self, tensor: str) -> str | None:
        return next((name for name in (tensor.rpartition(".")[0], tensor) if name in self.layers), None)

    def _coming(self, node: fx.Node) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for n in node.all_input_nodes for name in self.sources.get(n, ())))

    def _step(self, node: fx.Node) -> None:
        coming = self._coming(node)
        owners = [self.owner[n] for n in node.all_input_nodes if self.owner.get(n) is not None]
        if not any(n in self.sources for n in node.all_input_nodes):
            if owners and self._meets_data(node):
                self.sources[node] = self._arrive(self._place_of(owners[0]), ())
            else:
                self.owner[node] = owners[0] if owners else None
        elif owners:
            here = where(node)  # a layer may use another's weight
            self.sources[node] = self._arrive(
                self._place_of(here if here in self.layers else owners[0]), coming
            )
        elif len(coming) > 1 and op_name(node.target).rstrip("_") in JOINS:
            self.sources[node] = self._arrive(self._join(node), coming)
        else:
            self.sources[node] = coming

    def _meets_data(self, node: fx.Node) -> bool:
        """Whether it is a parameter that is data itself, such as a class token, once it is joined with data
        from the input.
        """
        return any(op_name(user.target) in ("cat", "stack") for user in node.users)

    def _place_of(self, layer: Any) -> Place:
        module, _, label = str(layer).rpartition(".")
        if label.isdigit():  # "0" alone says nothing
            label = f"{module.rpartition('.')[2]}.{label}" if module else label
        return Place(str(layer), module, label, self.layers[layer])

    def _join(self, node: fx.Node) -> Place:
        module = where(node)
        return Place(
            f"{node.name} (join)",
            "" if module == "the model" else module,
            JOINS[op_name(node.target).rstrip("_")],
        )

    def _arrive(self, place: Place, coming: Iterable[str]) -> tuple[str, ...]:
        self.places.setdefault(place.name, place)
        self.ways.update(dict.fromkeys((source, place.name) for source in coming if source != place.name))
        return (place.name,)


def _without_norms(wiring: Wiring) -> Wiring:
    """Draw norms that read one convolution or linear layer, which nothing else reads, together with it."""
    into: dict[str, str] = {}
    for place in wiring.places:
        coming = [a for a, b in wiring.ways if b == place.name]
        if place.layer is None or place.layer.kind != "norm" or len(coming) != 1:
            continue
        host = into.get(coming[0], coming[0])
        going = [b for a, b in wiring.ways if a == coming[0]]
        before = next(p for p in wiring.places if p.name == host)
        if before.layer is not None and before.layer.kind in ("conv", "linear") and going == [place.name]:
            into[place.name] = host
    named = {place.name: place for place in wiring.places}
    places = tuple(
        _with(place, [named[n].layer for n, host in into.items() if host == place.name])
        for place in wiring.places
        if place.name not in into
    )
    ways = dict.fromkeys(_moved(wiring.ways, into))
    return Wiring(places, tuple(ways))


def _with(place: Place, norms: Iterable[Layer | None]) -> Place:
    return Place(
        place.name, place.module, place.label, place.layer, tuple(norm for norm in norms if norm is not None)
    )


def _moved(ways: Iterable[tuple[str, str]], into: dict[str, str]) -> Iterator[tuple[str, str]]:
    for a, b in ways:
        start, end = into.get(a, a), into.get(b, b)
        if start != end:
            yield start, end
