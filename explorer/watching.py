"""Run a model and see what each layer reads and what becomes of what it makes. The model itself is never touched."""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from .graph.coupling import PRODUCERS, _is_pointwise, _source, op_name
from .graph.export import ModelGraph
from .values import Layer, ModelProfile, Subject

NORMS = ("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm")
Listener = Callable[[str, Tensor], None]


def silent(layer: str, values: Tensor) -> None:
    """The listener of those who do not listen."""


@dataclass(frozen=True, eq=False)
class Watched:
    """A runnable stand-in of a model.

    Args:
        weights: layer -> its weight on the device, a leaf that can take gradients; the model's own stays out of it.
        batch: the only batch size that it accepts, or None.
        run: (inputs, on_input, on_activation) -> logits. Listeners are told a layer's name and, each time that it is
            called, what it reads (as it comes), or its activation as (samples, out, ...): after the norm and the activation
            function that follow it, where they do.
    """

    weights: Mapping[str, Tensor]
    batch: int | None
    run: Callable[[Tensor, Listener, Listener], Tensor]


def watch(subject: Subject, graph: ModelGraph, device: str = "cpu") -> Watched:
    """The exported graph with the model's tensors, or a copy of the model where there is no graph."""
    return _watch_graph(subject, graph, device) if graph.program is not None else _watch_modules(subject, graph.profile, device)


# --------------------------------------------------------------------------- the exported graph


@dataclass(frozen=True)
class Site:
    """Where the activation of a layer is: channels start to start + count of a dimension of a node."""

    layer: str
    node: fx.Node
    dim: int
    start: int
    count: int


class GraphRun(fx.Interpreter):
    """Runs an exported program on other tensors than its own, on any device."""

    def __init__(self, program: torch.export.ExportedProgram, device: str):
        super().__init__(program.graph_module)
        self.program, self.device = program, torch.device(device)
        signature = program.graph_signature
        self.names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers, **signature.inputs_to_lifted_tensor_constants}

    def logits(self, tensors: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        """The first output of the program.

        Args:
            tensors: parameter, buffer or constant -> what stands in for it.
        """
        placeholders = [n for n in self.graph.nodes if n.op == "placeholder"]
        outputs = self.run(*(tensors[self.names[n.name]] if n.name in self.names else inputs for n in placeholders))
        made = [n.name for n in next(n for n in self.graph.nodes if n.op == "output").args[0]]
        return outputs[made.index(self.program.graph_signature.user_outputs[0])]

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        # a graph traced on the cpu names that device where it makes tensors
        here = lambda value: self.device if isinstance(value, torch.device) else value  # noqa: E731
        return super().call_function(target, fx.node.map_aggregate(args, here), fx.node.map_aggregate(kwargs, here))


class _ListeningRun(GraphRun):
    def __init__(self, program: torch.export.ExportedProgram, device: str, layers: Mapping[str, Layer]):
        super().__init__(program, device)
        self.readers: dict[fx.Node, tuple[str, fx.Node]] = {}
        self.sites: dict[fx.Node, list[Site]] = {}
        weights = {layer.weight: layer for layer in layers.values()}
        for node in program.graph.nodes:
            layer = self._layer(node, weights)
            data = self._data(node) if layer else None
            if layer and data is not None:
                self.readers[node] = (layer.name, data)
                site = _site(layer.name, node)
                self.sites.setdefault(site.node, []).append(site)

    def _layer(self, node: fx.Node, weights: Mapping[str, Layer]) -> Layer | None:
        if node.op != "call_function" or not op_name(node.target).startswith(PRODUCERS):
            return None
        names = [self.names.get(_source(argument).name, "") for argument in node.all_input_nodes]
        return next((weights[name] for name in names if name in weights), None)

    def _data(self, node: fx.Node) -> fx.Node | None:
        """The argument that is not made of parameters."""
        return next((a for a in node.all_input_nodes if _source(a).name not in self.names and isinstance(a.meta.get("val"), Tensor)), None)

    def listen(self, on_input: Listener, on_activation: Listener) -> None:
        self.on_input, self.on_activation = on_input, on_activation

    def run_node(self, node: fx.Node) -> Any:
        if node in self.readers:
            layer, data = self.readers[node]
            self.on_input(layer, self.env[data])
        result = super().run_node(node)
        for site in self.sites.get(node, ()):
            self.on_activation(site.layer, result.narrow(site.dim, site.start, site.count).movedim(site.dim, 1))
        return result


def _site(layer: str, node: fx.Node) -> Site:
    """Follow what a layer makes through norms, additions and concatenations up to its activation function."""
    shape = node.meta["val"].shape
    dim = 1 if op_name(node.target).startswith("conv") else len(shape) - 1
    site = Site(layer, node, dim, 0, int(shape[dim]))
    while True:
        steps = [step for user in site.node.users if (step := _step(site, user)) is not None]
        if not steps:
            return site
        site = steps[0]
        if _is_activation(site.node):
            return site


def _step(site: Site, user: fx.Node) -> Site | None:
    name, value = op_name(user.target), user.meta.get("val")
    if not isinstance(value, Tensor) or value.dim() != site.node.meta["val"].dim():
        return None
    if name == "cat":
        tensors, dim = user.args[0], (user.args[1] if len(user.args) > 1 else 0) % value.dim()
        before = [int(t.meta["val"].shape[dim]) for t in tensors[: tensors.index(site.node)]] if dim == site.dim else None
        return None if before is None else Site(site.layer, user, dim, site.start + sum(before), site.count)
    same = value.shape[site.dim] == site.node.meta["val"].shape[site.dim]
    follows = (name in NORMS and user.args[0] is site.node) or (isinstance(user.target, torch._ops.OpOverload) and _is_pointwise(user.target))
    return Site(site.layer, user, site.dim, site.start, site.count) if same and follows else None


def _is_activation(node: fx.Node) -> bool:
    tensors = [n for n in node.all_input_nodes if isinstance(n.meta.get("val"), Tensor)]
    return op_name(node.target) not in (*NORMS, "cat") and len(tensors) == 1


def _watch_graph(subject: Subject, graph: ModelGraph, device: str) -> Watched:
    assert graph.program is not None
    tensors = tensors_of(subject, graph.program, device)
    layers = graph.profile.prunable_layers
    weights = {name: tensors[layer.weight].requires_grad_() for name, layer in layers.items()}
    runner = _ListeningRun(graph.program, device, layers)

    def run(inputs: Tensor, on_input: Listener = silent, on_activation: Listener = silent) -> Tensor:
        runner.listen(on_input, on_activation)
        return runner.logits(tensors, inputs)

    return Watched(weights, fixed_batch(graph.program), run)


def tensors_of(subject: Subject, program: torch.export.ExportedProgram, device: str) -> dict[str, Tensor]:
    """Parameter, buffer or constant -> the same values detached, on the device; tied names share one tensor."""
    own = {**dict(subject.model.named_parameters(remove_duplicate=False)), **dict(subject.model.named_buffers(remove_duplicate=False))}
    moved: dict[int, Tensor] = {}
    for tensor in [*own.values(), *program.constants.values()]:
        if isinstance(tensor, Tensor) and id(tensor) not in moved:
            moved[id(tensor)] = tensor.detach().to(device)
    everything = {**{name: t for name, t in program.constants.items() if isinstance(t, Tensor)}, **own}
    return {name: moved[id(tensor)] for name, tensor in everything.items()}


def fixed_batch(program: torch.export.ExportedProgram) -> int | None:
    """The batch of a program that was exported with a static one."""
    names = program.graph_signature.user_inputs
    value = next(n for n in program.graph.nodes if n.op == "placeholder" and n.name in names).meta["val"]
    return int(value.shape[0]) if isinstance(value.shape[0], int) else None


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
def _hooked(model: nn.Module, layers: Mapping[str, Layer], on_input: Listener, on_activation: Listener) -> Iterator[None]:
    def hook(name: str, dim: int) -> Callable[[nn.Module, Any, Tensor], None]:
        def told(module: nn.Module, args: Any, output: Tensor) -> None:
            on_input(name, args[0])
            on_activation(name, output.movedim(dim, 1))

        return told

    handles = []
    try:
        for name, layer in layers.items():
            module = model.get_submodule("" if name == "model" else name)
            handles.append(module.register_forward_hook(hook(name, 1 if layer.kind == "conv" else -1)))
        yield
    finally:
        for handle in handles:
            handle.remove()
