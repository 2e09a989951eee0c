"""What remains of a model under a recipe, counted from shapes alone before anything is cut: parameters,
multiply-adds, bytes.

Parameters are those that the recipe neither removes nor sets to zero. Multiply-adds are those with such
weights, as many as the shapes of each product say. Bytes are those of the tensors in the bitmask format.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, prod

from torch import fx

from ..allocators.context import Counted
from ..graph.analysed import Analysed
from ..graph.blocks import nodes_without
from ..graph.export import ModelGraph
from ..graph.product_sizes import ProductSizes, product_sizes
from ..graph.remaining_macs import counted
from ..pruning.cutting import removal_count
from ..values.profile import Group, ModelProfile
from ..values.recipe import Recipe


@dataclass(frozen=True)
class TensorFormat:
    """A tensor: its shape, bytes per number, and whether it is a parameter (or a buffer)."""

    shape: tuple[int, ...]
    itemsize: int
    parameter: bool


@dataclass(frozen=True, eq=False)
class CostModel:
    """Costs of recipes for one model.

    Args:
        tensors: name -> what is stored; a tied tensor is listed once, under the name that coupled groups use.
    """

    graph: ModelGraph
    tensors: Mapping[str, TensorFormat]
    _without: dict[tuple[str, ...], frozenset[fx.Node]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, model: Analysed) -> "CostModel":
        """Return the cost model of an analysed model."""
        network, profile = model.subject.model, model.profile
        parameters = dict(network.named_parameters(remove_duplicate=False))
        everything = {**parameters, **dict(network.named_buffers(remove_duplicate=False))}
        known = {slot.tensor for group in profile.groups for slot in group.slots} | {
            layer.weight for layer in profile.layers
        }
        first: dict[int, str] = {}
        for name in sorted(everything, key=lambda n: n not in known):
            first.setdefault(id(everything[name]), name)
        return cls(
            model.graph,
            {
                name: TensorFormat(
                    tuple(everything[name].shape), everything[name].element_size(), name in parameters
                )
                for name in first.values()
            },
        )

    @property
    def profile(self) -> ModelProfile:
        return self.graph.profile

    def cost(self, recipe: Recipe, what: Counted) -> float:
        """Return the cost of the whole model after this recipe."""
        if what == "macs":
            macs = self._macs_of_products(recipe)
            return self._macs_of_weights(recipe) if macs is None else macs
        shapes = self._shapes(recipe)
        zeros, gone = self._zeros(recipe, shapes), self._gone(recipe)
        left = {name: stored for name, stored in self.tensors.items() if name not in gone}
        if what == "params":
            return sum(
                prod(shapes[name]) - zeros.get(name, 0) for name, stored in left.items() if stored.parameter
            )
        return sum(
            _bytes(prod(shapes[name]), zeros.get(name, 0), stored.itemsize) for name, stored in left.items()
        )

    def _gone(self, recipe: Recipe) -> set[str]:
        """Return the tensors of removed blocks."""
        removed = (block for block in self.profile.blocks if block.name in recipe.blocks)
        return {name for block in removed for name in block.tensors}

    @cached_property
    def _slots(self) -> dict[tuple[str, int], list[tuple[Group, int]]]:
        """Return, for each (tensor, dim), the groups on it, and how many positions a unit takes."""
        slots: dict[tuple[str, int], list[tuple[Group, int]]] = {}
        for group in self.profile.free_groups.values():
            for slot in group.slots:
                slots.setdefault((slot.tensor, slot.dim), []).append(
                    (group, int((slot.units >= 0).sum()) // group.units)
                )
        return slots

    def _shapes(self, recipe: Recipe) -> dict[str, tuple[int, ...]]:
        removed = self._removed(recipe)
        gone = {place: self._positions(groups, removed) for place, groups in self._slots.items()}
        return {
            name: tuple(n - gone.get((name, dim), 0) for dim, n in enumerate(stored.shape))
            for name, stored in self.tensors.items()
        }

    def _removed(self, recipe: Recipe) -> dict[str, int]:
        """Return how many units of each group a recipe removes."""
        return {name: _removed(group, recipe) for name, group in self.profile.free_groups.items()}

    def _positions(self, units: Iterable[tuple[Group, int]], removed: Mapping[str, int]) -> int:
        """Return how many positions along a dimension go with the removed units of the groups on it."""
        return sum(self._once(group, removed[group.name] * each, removed) for group, each in units)

    def _once(self, group: Group, positions: int, removed: Mapping[str, int]) -> int:
        """Return how many of a group's removed positions are not removed with the units that contain them."""
        if group.inside is None:
            return positions
        outer = self.profile.free_groups[group.inside]
        return positions * (outer.units - removed[outer.name]) // outer.units

    def _zeros(self, recipe: Recipe, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
        layers = self.profile.prunable_layers
        weights = {layers[name].weight: ratio for name, ratio in recipe.weights.items()}
        return {tensor: removal_count(ratio, prod(shapes[tensor])) for tensor, ratio in weights.items()}

    @cached_property
    def _products(self) -> ProductSizes | None:
        return product_sizes(self.graph)

    @cached_property
    def _extents(self) -> list[tuple[int, list[tuple[Group, int]]]]:
        """Return the size of each extent of the products, and the groups on it with positions of a unit."""
        groups = self.profile.free_groups
        found = self._products.extents if self._products else ()
        return [(extent.size, [(groups[name], each) for name, each in extent.units]) for extent in found]

    def _macs_of_products(self, recipe: Recipe) -> float | None:
        """Return the multiply-adds by the shapes of all products; None if these do not follow from counts."""
        densities = self._densities(recipe)
        if self._products is None or densities is None:
            return None
        removed, gone = self._removed(recipe), self._nodes_gone(recipe.blocks)
        sizes = [size - self._positions(units, removed) for size, units in self._extents]
        return sum(
            counted(product.formula, [[sizes[place] for place in shape] for shape in product.shapes])
            * densities.get(product.layer, 1.0)
            for product in self._products.products
            if product.node not in gone
        )

    def _nodes_gone(self, blocks: tuple[str, ...]) -> frozenset[fx.Node]:
        """Return the nodes that are not needed without these blocks."""
        if blocks not in self._without:
            assert self.graph.program is not None
            self._without[blocks] = nodes_without(self.graph.program, self.graph.branches, blocks)
        return self._without[blocks]

    def _densities(self, recipe: Recipe) -> dict[str, float] | None:
        """Return layer -> the share of its weights that are not zero, for layers that have zeros; None if one
        of them multiplies in no product of its own.
        """
        if not recipe.weights:
            return {}
        shapes = self._shapes(recipe)
        zeros = self._zeros(recipe, shapes)
        own = {product.layer for product in self._products.products} if self._products else set()
        densities = {}
        for layer in self.profile.layers:
            if layer.weight in zeros and layer.macs:
                if layer.name not in own:
                    return None
                densities[layer.name] = 1 - zeros[layer.weight] / max(1, prod(shapes[layer.weight]))
        return densities

    def _macs_of_weights(self, recipe: Recipe) -> float:
        """Return the multiply-adds where each layer has as many as the size of its weight says, and products
        inside attention as many as there are heads.
        """
        shapes = self._shapes(recipe)
        zeros, gone, total = self._zeros(recipe, shapes), self._gone(recipe), 0.0
        for layer in self.profile.layers:
            if layer.weight in gone or layer.name in gone:
                continue
            left = (
                prod(shapes[layer.weight]) - zeros.get(layer.weight, 0)
                if layer.weight in shapes
                else prod(layer.shape)
            )
            total += layer.macs * left / max(1, prod(layer.shape))
        rest = self.profile.macs - sum(layer.macs for layer in self.profile.layers) - self._rest_of(recipe)
        shares: dict[str, float] = {}  # of each attention's heads
        for group in self.profile.free_groups.values():
            if group.is_of_heads:
                own = group.inside or group.name
                shares[own] = shares.get(own, 1.0) * (1 - _removed(group, recipe) / group.units)
        return total + rest * (sum(shares.values()) / len(shares) if shares else 1.0)

    def _rest_of(self, recipe: Recipe) -> int:
        """Return the multiply-adds of removed blocks that belong to no layer; one block may hold another."""
        away = [block for block in self.profile.blocks if block.name in recipe.blocks]
        outer = [one for one in away if not any(set(one.tensors) < set(other.tensors) for other in away)]
        gone = self._gone(recipe)
        own = (layer.macs for layer in self.profile.layers if layer.weight in gone or layer.name in gone)
        return sum(block.macs for block in outer) - sum(own)


def _removed(group: Group, recipe: Recipe) -> int:
    by_hand = len(recipe.remove.get(group.name, ()))
    return max(by_hand, removal_count(recipe.channels.get(group.name, 0.0), group.units))


def _bytes(numbers: int, zeros: int, itemsize: int) -> int:
    """Return the bytes of a bitmask file, which stores one bit per position and the non-zero values, or of a
    dense one if that is smaller.
    """
    return min(numbers * itemsize, (numbers - zeros) * itemsize + ceil(numbers / 8))
