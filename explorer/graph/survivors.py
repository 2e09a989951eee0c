"""What is left of each dimension of each value of the graph, once the removed units are known."""

import weakref
from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import CompactionError
from .coupling import Coupling
from .labels import Labelled, varying


class _Units:
    """The unit class at every position of a label array; arrays with the same classes share one tensor.

    It depends on the coupling alone, so it is found once per model. The layers of a block have their own
    labels, but few classes between them, so what is left is looked up once per class array instead of once
    per label array.
    """

    def __init__(self, coupling: Coupling):
        self._class_of = coupling.unit_class
        self._of: dict[
            int, tuple[Tensor, Tensor]
        ] = {}  # id of an array -> the array (so that the id is not reused), its classes
        self._shared: dict[tuple[tuple[int, ...], bytes], Tensor] = {}

    def __call__(self, array: Tensor) -> Tensor:
        if id(array) not in self._of:
            classes = torch.where(array < 0, -1, self._class_of[array.clamp(min=0)])
            key = (tuple(classes.shape), classes.numpy().tobytes())
            self._of[id(array)] = (array, self._shared.setdefault(key, classes))
        return self._of[id(array)][1]


_units: "weakref.WeakKeyDictionary[Coupling, _Units]" = weakref.WeakKeyDictionary()


class Survivors:
    """What is left of each dimension of each value of the graph.

    Args:
        kept: group -> (units,) bool, True = the unit is kept; missing groups stay whole.
    """

    def __init__(self, coupling: Coupling, kept: Mapping[str, Tensor]):
        self.coupling = coupling
        self._alive = torch.ones(
            int(coupling.unit_class.max()) + 2 if len(coupling.unit_class) else 1, dtype=torch.bool
        )  # the last one: positions that belong to no unit
        for group, mask in kept.items():
            self._alive[coupling.classes[group][~mask]] = False
        self._units = _units.setdefault(coupling, _Units(coupling))
        self._kept: dict[int, dict[int, Tensor]] = {}
        self._line: dict[int, tuple[int, Tensor] | None] = {}

    def kept(self, value: Labelled) -> dict[int, Tensor]:
        """Return dim -> (size,) bool for each dimension that loses positions; equal cuts of two values are
        one tensor.

        Raises:
            CompactionError: what is left is not rectangular.
        """
        if id(value) not in self._kept:
            self._kept[id(value)] = self._compute(value)
        return self._kept[id(value)]

    def _compute(self, value: Labelled) -> dict[int, Tensor]:
        cut: dict[int, Tensor] = {}
        for array in value.arrays:
            classes = self._units(array)
            if id(classes) not in self._line:
                self._line[id(classes)] = self._cut_of(classes)
            found = self._line[id(classes)]
            if found is not None:
                dim, line = found
                cut[dim] = cut[dim] & line if dim in cut and cut[dim] is not line else line
        return cut

    def _cut_of(self, classes: Tensor) -> tuple[int, Tensor] | None:
        """Return the dimension that loses whole hyperplanes, and which are kept; None if all are."""
        living = self._alive[classes]
        if bool(living.all()):
            return None
        for dim in sorted(varying(classes)):
            others = [d for d in range(classes.dim()) if d != dim and classes.shape[d] > 1]
            if not others:
                return dim, living.flatten()
            line = living.amax(others, keepdim=True)
            if torch.equal(line.expand(living.shape), living):
                return dim, line.flatten()
        raise CompactionError("Removing these units would leave a tensor that is not rectangular.")

    def shape(self, value: Labelled) -> list[int]:
        cut = self.kept(value)
        return [int(cut[d].sum()) if d in cut else size for d, size in enumerate(value.shape)]
