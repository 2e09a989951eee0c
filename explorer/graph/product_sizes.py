"""What each product of a model multiplies, by how many units are removed: as `remaining_macs`, without masks.

An allocator asks thousands of times what would be left. Which units go does not matter for that, how many
does.
"""

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, fx

from ..values.profile import Group
from .coupling import Coupling
from .export import ModelGraph
from .labels import Labelled, varying
from .remaining_macs import Formula, products_of


@dataclass(frozen=True)
class Extent:
    """A dimension of a value.

    Args:
        size: positions along it in the dense model.
        units: the groups along it, by name, each with the positions that one unit takes.
    """

    size: int
    units: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, eq=False)
class Product:
    """One product of the graph.

    Args:
        layer: whose weight it multiplies with, "" if it belongs to no layer.
        shapes: the place in a list of extents of each dimension, of the result, then of what it reads.
    """

    node: fx.Node
    layer: str
    formula: Formula
    shapes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class ProductSizes:
    """All products of a graph, and the different extents that they have."""

    products: tuple[Product, ...]
    extents: tuple[Extent, ...]


class _UncountableError(Exception):
    """The number of removed units does not say what is left."""


_sizes: "weakref.WeakKeyDictionary[ModelGraph, ProductSizes | None]" = weakref.WeakKeyDictionary()


def product_sizes(graph: ModelGraph) -> ProductSizes | None:
    """Return the products of a graph; None if the number of removed units does not say what is left."""
    if graph not in _sizes:
        try:
            _sizes[graph] = _found(graph)
        except _UncountableError:
            _sizes[graph] = None
    return _sizes[graph]


def _found(graph: ModelGraph) -> ProductSizes | None:
    products = products_of(graph)
    if products is None or graph.coupling is None:
        return None
    lines, places = _Lines(graph.coupling, graph.profile.free_groups), dict[Extent, int]()

    def place(extent: Extent) -> int:
        return places.setdefault(extent, len(places))

    rows = tuple(
        Product(node, layer, formula, tuple(tuple(map(place, lines.extents(v))) for v in values))
        for node, (layer, formula, values) in products.items()
    )
    return ProductSizes(rows, tuple(places))


@dataclass(frozen=True, eq=False)
class _Line:
    """The units of one group along one dimension.

    Args:
        taken: (size,) bool, the positions that belong to a unit.
        each: positions of one unit.
    """

    dim: int
    group: Group
    taken: Tensor
    each: int


@dataclass(eq=False)
class _Lines:
    """Finds the units along the dimensions of values; arrays with equal classes are read once."""

    coupling: Coupling
    groups: Mapping[str, Group]
    _known: dict[tuple[tuple[int, ...], bytes], list[_Line]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._names = [name for name in self.coupling.classes if name in self.groups]
        classes = self.coupling.unit_class
        last = max([int(classes.max()) if len(classes) else 0, 0])
        self._group_of, self._unit_of = torch.full((2, last + 2), -1)  # the last one: belongs to no unit
        for number, name in enumerate(self._names):
            held = self.coupling.classes[name]
            self._group_of[held], self._unit_of[held] = number, torch.arange(len(held))

    def extents(self, value: Labelled) -> tuple[Extent, ...]:
        """Return the extent of each dimension.

        Raises:
            _UncountableError: units take different numbers of positions, or lie across each other.
        """
        along: dict[int, list[_Line]] = {}
        for array in value.arrays:
            for line in self._of(array):
                if not any(line is other for other in along.get(line.dim, ())):
                    along.setdefault(line.dim, []).append(line)
        for lines in along.values():
            for place, one in enumerate(lines):
                if any(_cross(one, other) for other in lines[:place]):
                    raise _UncountableError
        return tuple(
            Extent(size, tuple((line.group.name, line.each) for line in along.get(dim, ())))
            for dim, size in enumerate(value.shape)
        )

    def _of(self, array: Tensor) -> list[_Line]:
        classes = torch.where(array < 0, -1, self.coupling.unit_class[array.clamp(min=0)])
        key = tuple(classes.shape), classes.numpy().tobytes()
        if key not in self._known:
            numbers = self._group_of[classes]
            held = numbers.unique().tolist()
            self._known[key] = [self._line(classes, numbers, number) for number in held if number >= 0]
        return self._known[key]

    def _line(self, classes: Tensor, numbers: Tensor, number: int) -> _Line:
        group = self.groups[self._names[number]]
        units = torch.where(numbers == number, self._unit_of[classes], -1)
        for dim in sorted(varying(units)) or [0]:
            others = [d for d in range(units.dim()) if d != dim]
            line = units.amax(others, keepdim=True) if others else units
            if torch.equal(line.expand(units.shape), units):
                taken = line.flatten() >= 0
                each = torch.bincount(line.flatten()[taken], minlength=group.units)
                if bool((each == each[0]).all()):
                    return _Line(dim, group, taken, int(each[0]))
        raise _UncountableError


def _cross(one: _Line, other: _Line) -> bool:
    """Whether some positions belong to units of both groups, and neither group is inside the other."""
    if other.group.name == one.group.inside or one.group.name == other.group.inside:
        return False
    return bool((one.taken & other.taken).any())
