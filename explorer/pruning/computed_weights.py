"""Weights that the forward computes from others, such as standardised ones: how a cut changes those that are
left.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx

from ..graph.analysed import Analysed
from ..graph.export import ModelGraph
from ..graph.labels import Labelled
from ..graph.nodes import layer_of
from ..graph.survivors import Survivors
from ..values.profile import Masks, ModelProfile
from .masks import positions

NEAR = 1e-4  # of the largest weight


def changed_by(model: Analysed, masks: Masks) -> tuple[str, ...]:
    """Return layers in which remaining weights change with the cut, or are not zero where a mask says so."""
    graph = model.graph
    computed = computed_weights(graph) if graph.program is not None else {}
    if not computed:
        return ()
    assert graph.coupling is not None
    left, chain = Survivors(graph.coupling, masks.channels), _Chain(model)
    cut, changed = positions(graph.profile, masks.channels), []
    for tensor, node in computed.items():
        zeros = {
            name: _mask(name, chain.tensor(name), masks, cut, graph.profile) for name in chain.reads(node)
        }
        touched = any(not bool(mask.all()) for mask in zeros.values())
        if touched and not _stay(chain, node, zeros, left):
            changed.append(layer_of(tensor))
    return tuple(dict.fromkeys(changed))


def _mask(
    name: str,
    tensor: Tensor,
    masks: Masks,
    cut: Mapping[str, Mapping[int, Tensor]],
    profile: ModelProfile,
) -> Tensor:
    """Return (the tensor's shape) bool: what is left of it."""
    own = {profile.prunable_layers[layer].weight: mask for layer, mask in masks.weights.items()}
    mask = own.get(name, torch.ones(tensor.shape, dtype=torch.bool))
    for dim, line in cut.get(name, {}).items():
        mask = mask & line.view([-1 if d == dim else 1 for d in range(tensor.dim())])
    return mask


def computed_weights(graph: ModelGraph) -> dict[str, fx.Node]:
    """Return, for each pruned tensor, the node that computes the weight from it, if that is not the tensor
    itself.
    """
    assert graph.program is not None and graph.coupling is not None
    values = graph.coupling.values
    computed: dict[str, fx.Node] = {}
    for node in graph.program.graph.nodes:
        weight = graph.coupling.weights.get(node.name)
        if weight is None:
            continue
        for source in node.all_input_nodes:
            if source.op == "call_function" and _is_matrix(values.get(source.name)):
                computed.setdefault(weight.tensor, source)
    return computed


def _is_matrix(value: Any) -> bool:
    """Whether it consists of parameters alone, and is not a vector."""
    return isinstance(value, Labelled) and value.parameter and value.meta.dim() > 1


def _stay(chain: "_Chain", node: fx.Node, zeros: Mapping[str, Tensor], left: Survivors) -> bool:
    """Whether each remaining weight is unchanged, or zero if a mask says so."""
    before, after = chain.value(node, {}), chain.value(node, zeros)
    for dim, line in left.kept(left.coupling.values[node.name]).items():
        index = line.nonzero().flatten()
        before, after = before.index_select(dim, index), after.index_select(dim, index)
    near = NEAR * float(before.abs().max())
    masked = (before - after).abs() > near
    return bool((after[masked].abs() <= near).all())


class _Chain:
    """Evaluates nodes that read only tensors of the model."""

    def __init__(self, model: Analysed):
        program, coupling, network = model.graph.program, model.graph.coupling, model.subject.model
        assert program is not None and coupling is not None
        self._values = coupling.values
        self._names = program.tensors
        self._own: dict[str, Any] = dict(program.constants)
        self._own |= dict(network.named_parameters(remove_duplicate=False))
        self._own |= dict(network.named_buffers(remove_duplicate=False))

    def tensor(self, name: str) -> Tensor:
        return self._own[name].detach()

    def reads(self, node: fx.Node) -> set[str]:
        """Return the names of the tensors that it is computed from."""
        if node.name in self._names:
            return {self._names[node.name]}
        return set().union(*map(self.reads, node.all_input_nodes))

    @torch.no_grad()
    def value(self, node: fx.Node, zeros: Mapping[str, Tensor]) -> Any:
        """Return the value of a node, with tensors that are zero where a mask says so."""
        if node.name in self._names:
            name = self._names[node.name]
            tensor = self.tensor(name)
            return tensor * zeros[name] if name in zeros else tensor.clone()
        if isinstance(
            known := self._values.get(node.name), int | float
        ):  # a size of the input, for one sample
            return known

        def look_up(item: Any) -> Any:
            return fx.node.map_arg(item, lambda n: self.value(n, zeros))

        target: Any = node.target
        return target(*look_up(node.args), **look_up(node.kwargs))
