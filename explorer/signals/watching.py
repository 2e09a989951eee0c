"""Runs a model and reports what each layer reads and what its activations are. The model itself is not
changed.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, fx, nn

from ..graph.analysed import Analysed
from ..graph.coupling import Coupling
from ..graph.labels import Labelled
from ..graph.nodes import op_name
from ..graph.program import Program
from ..graph.running import GraphRun, fixed_batch, tensors_of
from ..values.profile import Layer, ModelProfile
from ..values.subject import Subject
from .activation_sites import Site, site_of

Listener = Callable[[str, Tensor], None]


def silent(layer: str, values: Tensor) -> None:
    """A listener that ignores everything."""


@dataclass(frozen=True, eq=False)
class Watched:
    """A stand-in for a model that can be run.

    Args:
        weights: layer -> its weight on the device, a leaf that can have gradients; the model's own weights
            are not used.
        batch: the only batch size that it accepts, or None.
        run: (inputs, on_input, on_activation) -> logits. Listeners get a layer's name and, each time that it
            is called, its input (as it is), or its activation as (samples, out, ...): after the norm and the
            activation function that follow it, if there are any.
    """

    weights: Mapping[str, Tensor]
    batch: int | None
    run: Callable[[Tensor, Listener, Listener], Tensor]


def watch(model: Analysed, device: str = "cpu") -> Watched:
    """Return the exported graph with the model's tensors, or a copy of the model if it has no graph."""
    return (
        _watch_graph(model, device)
        if model.graph.program is not None
        else _watch_modules(model.subject, model.profile, device)
    )


# --------------------------------------------------------------------------- the exported graph


class _ListeningRun(GraphRun):
    def __init__(
        self,
        program: Program,
        coupling: Coupling,
        device: str,
        layers: Mapping[str, Layer],
    ):
        super().__init__(program, device)
        self.coupling = coupling
        self.readers: dict[fx.Node, tuple[str, fx.Node]] = {}
        self.sites: dict[fx.Node, list[Site]] = {}
        weights = {layer.weight: layer for layer in layers.values()}
        for node in program.graph.nodes:
            layer = self._layer(node, weights)
            data = self._data(node) if layer else None
            if layer and data is not None:
                self.readers[node] = (layer.name, data)
                site = site_of(layer.name, node)
                self.sites.setdefault(site.node, []).append(site)

    def _layer(self, node: fx.Node, weights: Mapping[str, Layer]) -> Layer | None:
        weight = self.coupling.weights.get(node.name)
        layer = weights.get(weight.tensor) if weight is not None and weight.whole else None
        is_other_use = layer is not None and layer.kind == "embedding" and op_name(node.target) != "embedding"
        return None if is_other_use else layer  # a table that also gives scores is rated by its look-ups

    def _data(self, node: fx.Node) -> fx.Node | None:
        """Return the argument that does not consist of parameters."""
        values = ((argument, self.coupling.values[argument.name]) for argument in node.all_input_nodes)
        return next((argument for argument, v in values if isinstance(v, Labelled) and not v.parameter), None)

    def listen(self, on_input: Listener, on_activation: Listener) -> None:
        self.on_input, self.on_activation = on_input, on_activation

    def run_node(self, node: fx.Node) -> Any:
        if node in self.readers:
            layer, data = self.readers[node]
            self.on_input(layer, self.env[data])
        result = super().run_node(node)
        for site in self.sites.get(node, ()):
            self.on_activation(
                site.layer, result.narrow(site.dim, site.start, site.count).movedim(site.dim, 1)
            )
        return result


def _watch_graph(model: Analysed, device: str) -> Watched:
    assert model.graph.program is not None and model.graph.coupling is not None
    tensors = tensors_of(model.subject, model.graph.program, device)
    layers = model.profile.prunable_layers
    weights = {name: tensors[layer.weight].requires_grad_() for name, layer in layers.items()}
    runner = _ListeningRun(model.graph.program, model.graph.coupling, device, layers)

    def run(inputs: Tensor, on_input: Listener = silent, on_activation: Listener = silent) -> Tensor:
        runner.listen(on_input, on_activation)
        return runner.logits(tensors, inputs)

    return Watched(weights, fixed_batch(model.graph.program), run)


# --------------------------------------------------------------------------- modules, where there is no graph


def _watch_modules(subject: Subject, profile: ModelProfile, device: str) -> Watched:
    model = copy.deepcopy(subject.model).to(device).requires_grad_(False)
    layers = profile.prunable_layers
    weights = {name: model.get_parameter(layer.weight).requires_grad_() for name, layer in layers.items()}

    def run(inputs: Tensor, on_input: Listener = silent, on_activation: Listener = silent) -> Tensor:
        with _hooked(model, layers, on_input, on_activation):
            return model(inputs)

    return Watched(weights, None, run)


@contextmanager
def _hooked(
    model: nn.Module, layers: Mapping[str, Layer], on_input: Listener, on_activation: Listener
) -> Iterator[None]:
    def hook(name: str, dim: int) -> Callable[[nn.Module, Any, Tensor], None]:
        def record(module: nn.Module, args: Any, output: Tensor) -> None:
            on_input(name, args[0])
            on_activation(name, output.movedim(dim, 1))

        return record

    handles = []
    try:
        modules = {**dict(model.named_modules()), "model": model}
        for name, layer in layers.items():
            if name in modules:  # otherwise it is a matrix inside a module, whose inputs are not visible
                made = hook(name, 1 if layer.kind == "conv" else -1)
                handles.append(modules[name].register_forward_hook(made))
        yield
    finally:
        for handle in handles:
            handle.remove()
