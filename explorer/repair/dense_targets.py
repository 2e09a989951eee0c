"""The dense model's values at the places of the smaller one, without what the cut removed there."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, fx

from ..compaction.compact import SOURCE
from ..graph.analysed import Analysed
from ..graph.survivors import Survivors
from ..values.profile import Masks
from .lockstep import Lockstep


class DenseTargets:
    """The dense model next to the smaller one.

    Args:
        model, masks: what was cut.
        small: the smaller model, whose nodes are asked for.
        dense: the same without a cut.
        batches: of inputs.
    """

    def __init__(
        self,
        model: Analysed,
        masks: Masks,
        small: fx.GraphModule,
        dense: fx.GraphModule,
        batches: Sequence[Tensor],
    ):
        assert model.graph.coupling is not None
        self.walk = Lockstep(dense, batches)
        self._coupling = model.graph.coupling
        self._left = Survivors(self._coupling, masks.channels)
        twins = {node.meta[SOURCE]: node for node in dense.graph.nodes if SOURCE in node.meta}
        self._twins = {
            node.name: twins[node.meta[SOURCE]]
            for node in small.graph.nodes
            if node.meta.get(SOURCE) in twins
        }

    def of(self, name: str) -> list[Any] | None:
        """Return the dense values of a node at the remaining positions, one per batch; None if they cannot be
        separated.
        """
        node = self._twins.get(name)
        if node is None:
            return None
        return [self._cut(node, value) for value in self.walk.behind(node.name)]

    def read_by(self, name: str) -> list[Any] | None:
        """Return the dense values that a node reads first, as `of` does; None too if what is left of them
        is not made of whole positions of their own dimensions.
        """
        node = self._twins.get(name)
        source = node.args[0] if node is not None else None
        if not isinstance(source, fx.Node) or 0 in self._kept(source):
            return None
        return [self._cut(source, value) for value in self.walk.behind(source.name)]

    def _kept(self, node: fx.Node) -> Any:
        return self._left.kept(self._coupling.values[node.meta[SOURCE]])

    def _cut(self, node: fx.Node, value: Tensor) -> Tensor:
        for dim, line in self._kept(node).items():
            value = value.index_select(dim, line.nonzero().flatten().to(value.device))
        return value

    def fits(self, name: str) -> bool:
        """Whether the remaining part of a node's values consists of whole positions of their own
        dimensions.
        """
        node = self._twins.get(name)
        return node is not None and 0 not in self._kept(node)
