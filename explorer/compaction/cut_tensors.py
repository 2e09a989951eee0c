"""The tensors of the smaller model: each is index-selected along the dimensions that it loses; nothing is
copied twice.
"""

from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from ..graph.survivors import Survivors


class CutTensors(Mapping[str, Tensor]):
    """Every tensor of the model after the cut, created when it is first needed; tied names share one tensor.

    Unchanged tensors are copied too, since the smaller model may be trained and the given one is never
    written to.

    Args:
        own: name -> tensor of the model and of its graph's constants.
        names: placeholder of the graph -> name.
        weights: tensor -> mask of its single weights.
        state: tensors to use in place of the model's own.
        share: use the given tensor itself, not a copy, if the cut does not change it.
    """

    def __init__(
        self,
        own: Mapping[str, Tensor],
        names: Mapping[str, str],
        weights: Mapping[str, Tensor],
        left: Survivors,
        state: Mapping[str, Tensor] | None = None,
        *,
        share: bool = False,
    ):
        self._own, self._weights, self._left, self._state, self._share = (
            own,
            weights,
            left,
            state or {},
            share,
        )
        self._placeholders = {name: placeholder for placeholder, name in names.items()}
        self._used_name = {id(own[name]): name for name in self._placeholders if name in own}
        self._made: dict[int, Tensor] = {}
        self._indices: dict[int, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        tensor = self._own[name]
        if id(tensor) not in self._made:
            self._made[id(tensor)] = self._cut(self._used_name.get(id(tensor), name), tensor)
        return self._made[id(tensor)]

    def __contains__(self, name: object) -> bool:
        return name in self._own

    def __iter__(self) -> Iterator[str]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)

    def _cut(self, name: str, tensor: Tensor) -> Tensor:
        """Return it multiplied by its weight mask and index-selected."""
        data = cut = self._state.get(name, tensor).detach()
        if name in self._weights:
            cut = cut * self._weights[name].to(data.device)
        placeholder = self._placeholders.get(name)
        kept = self._left.kept(self._left.coupling.values[placeholder]) if placeholder else {}
        for dim, line in kept.items():
            cut = cut.index_select(dim, self._index(line, data))
        if cut is data and not self._share:
            cut = data.clone()
        return (
            nn.Parameter(cut, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else cut
        )

    def _index(self, line: Tensor, data: Tensor) -> Tensor:
        """Return the kept positions, found once for all tensors that lose the same ones (`left` keeps the
        line alive).
        """
        if id(line) not in self._indices:
            self._indices[id(line)] = line.nonzero().flatten().to(data.device)
        return self._indices[id(line)]
