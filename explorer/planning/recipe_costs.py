"""What remains of a model under a recipe, counted from shapes alone before anything is cut: parameters,
multiply-adds, bytes.

Parameters are those that the recipe neither removes nor sets to zero. Multiply-adds are those with such
weights; those that belong to no layer (products inside attention) change with the heads. Bytes are those of
the tensors in the bitmask format.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil, prod

from ..allocators.context import Counted
from ..pruning.cutting import removal_count
from ..values.profile import Group, ModelProfile
from ..values.recipe import Recipe
from ..values.subject import Subject


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

    profile: ModelProfile
    tensors: Mapping[str, TensorFormat]

    @classmethod
    def of(cls, subject: Subject, profile: ModelProfile) -> "CostModel":
        """Return the cost model of a subject."""
        parameters = dict(subject.model.named_parameters(remove_duplicate=False))
        everything = {**parameters, **dict(subject.model.named_buffers(remove_duplicate=False))}
        known = {slot.tensor for group in profile.groups for slot in group.slots} | {
            layer.weight for layer in profile.layers
        }
        first: dict[int, str] = {}
        for name in sorted(everything, key=lambda n: n not in known):
            first.setdefault(id(everything[name]), name)
        return cls(
            profile,
            {
                name: TensorFormat(
                    tuple(everything[name].shape), everything[name].element_size(), name in parameters
                )
                for name in first.values()
            },
        )

    def cost(self, recipe: Recipe, what: Counted) -> float:
        """Return the cost of the whole model after this recipe."""
        shapes = self._shapes(recipe)
        if what == "macs":
            return self._macs(recipe, shapes)
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
        removed = {name: _removed(group, recipe) for name, group in self.profile.free_groups.items()}
        gone = {
            place: sum(self._once(group, removed[group.name] * each, removed) for group, each in groups)
            for place, groups in self._slots.items()
        }
        return {
            name: tuple(n - gone.get((name, dim), 0) for dim, n in enumerate(stored.shape))
            for name, stored in self.tensors.items()
        }

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

    def _macs(self, recipe: Recipe, shapes: Mapping[str, tuple[int, ...]]) -> float:
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
