"""Masks -> a physically smaller model: every slot is index-selected, literal sizes are rewritten, modules keep their names."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from .errors import CompactionError
from .graph.coupling import IGNORED, op_name, where
from .graph.export import ModelGraph
from .graph.reuse import functional
from .graph.rewriting import Survivors, conv_groups, rewrite
from .values import Masks, Subject

NORMS = {3: nn.BatchNorm1d, 2: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
CONVS = {
    "conv1d": nn.Conv1d, "conv2d": nn.Conv2d, "conv3d": nn.Conv3d,
    "conv_transpose1d": nn.ConvTranspose1d, "conv_transpose2d": nn.ConvTranspose2d, "conv_transpose3d": nn.ConvTranspose3d,
}  # fmt: skip


def alive_labels(graph: ModelGraph, masks: Masks) -> Tensor:
    """(labels,) bool: which labels keep their unit."""
    assert graph.coupling is not None
    classes = graph.coupling.unit_class
    alive = torch.ones(int(classes.max()) + 1, dtype=torch.bool)
    for group, kept in masks.channels.items():
        alive[graph.coupling.classes[group][~kept]] = False
    return alive[classes]


def compact(subject: Subject, graph: ModelGraph, masks: Masks, *, state: Mapping[str, Tensor] | None = None) -> fx.GraphModule:
    """Build the smaller model; the subject's model stays as it is.

    Names in state_dict are the original's, the batch is dynamic, and the result can be trained and exported again.

    Args:
        state: tensors to use in place of the model's own (for the audit); the names of its state_dict.
    Raises:
        CompactionError: the graph is missing, or the masks leave a tensor that cannot be built.
    """
    if graph.program is None or graph.coupling is None:
        raise CompactionError(f"This model has no graph, so channels cannot be removed: {graph.profile.error}")
    return Builder(subject, graph, masks, state).build()


class CutTensors(Mapping[str, Tensor]):
    """Every tensor of the model after the cut, made when it is first asked for; tied names share one tensor.

    Args:
        own: name -> tensor of the model and of its graph's constants.
        names: placeholder of the graph -> name.
        weights: tensor -> mask of its single weights.
        state: tensors to use in place of the model's own.
        share: what the cut leaves as it was is the given tensor itself, not a copy.
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
        self._own, self._weights, self._left, self._state, self._share = own, weights, left, state or {}, share
        self._placeholders = {name: placeholder for placeholder, name in names.items()}
        self._used_name = {id(own[name]): name for name in self._placeholders if name in own}
        self._made: dict[int, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        tensor = self._own[name]
        if id(tensor) not in self._made:
            self._made[id(tensor)] = self._cut(self._used_name.get(id(tensor), name), tensor)
        return self._made[id(tensor)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)

    def _cut(self, name: str, tensor: Tensor) -> Tensor:
        """Multiplied by its weight mask and index-selected."""
        data = cut = self._state.get(name, tensor).detach()
        if name in self._weights:
            cut = cut * self._weights[name].to(data.device)
        placeholder = self._placeholders.get(name)
        kept = self._left.kept(self._left.coupling.values[placeholder]) if placeholder else {}
        for dim, line in kept.items():
            cut = cut.index_select(dim, line.nonzero().flatten().to(data.device))
        if cut is data and not self._share:
            cut = data.clone()
        return nn.Parameter(cut, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else cut


@dataclass(eq=False)
class Builder:
    """Copies nodes of the dense graph into a new one, with their tensors cut and their literals rewritten."""

    subject: Subject
    graph: ModelGraph
    masks: Masks
    state: Mapping[str, Tensor] | None = None
    share: bool = False

    def __post_init__(self) -> None:
        program, coupling = self.graph.program, self.graph.coupling
        assert program is not None and coupling is not None
        self.left = Survivors(coupling, alive_labels(self.graph, self.masks))
        signature, model = program.graph_signature, self.subject.model
        constants = dict(signature.inputs_to_lifted_tensor_constants)
        self.names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers, **constants}
        own = {name: program.constants[name] for name in constants.values()}
        own |= dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers(remove_duplicate=False))
        weights = {self.graph.profile.prunable_layers[layer].weight: mask for layer, mask in self.masks.weights.items()}
        self.tensors = CutTensors(own, self.names, weights, self.left, self.state, share=self.share)
        self.root, self.new = nn.Module(), fx.Graph()
        self.made: dict[str, str] = {}
        self.as_modules = True

    def build(self) -> fx.GraphModule:
        """The whole model."""
        program = self.graph.program
        assert program is not None
        nodes: dict[fx.Node, Any] = {}
        for node in program.graph.nodes:
            nodes[node] = self._copy(node, nodes)
        self._add_unused()
        self._unpack_outputs()
        module = self._finished()
        self._adopt_unused(module)
        return module.eval()

    def build_part(self, region: Sequence[fx.Node], outputs: Sequence[fx.Node], *, in_place: bool = False) -> fx.GraphModule:
        """Some nodes of the dense graph alone, in its order.

        Inputs are the values that they read from outside, by the names of their nodes, in the order of first use; it returns the
        tuple of `outputs`. It cannot be trained: its nodes stay operators, which is quicker to make than modules.

        Args:
            in_place: operators may write into their inputs, as they do in the model.
        """
        self.as_modules = False
        nodes: dict[fx.Node, Any] = {}
        for source in boundary(region, self.names):
            nodes[source] = self.new.placeholder(source.name)
        for node in region:
            nodes.update(dict.fromkeys(n for n in node.all_input_nodes if n.name in self.names and n not in nodes))
            nodes[node] = self._copy(node, nodes)
            if isinstance(nodes[node], fx.Node) and not in_place:
                nodes[node].target = functional(nodes[node].target) or nodes[node].target
        self.new.output(tuple(nodes[node] for node in outputs))
        return self._finished().eval()

    def _finished(self) -> fx.GraphModule:
        for node in reversed(self.new.nodes):
            # an operator that writes into its argument is needed even though nobody reads its result
            writes = isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable
            if node.op in ("call_function", "get_attr") and not node.users and not writes:
                self.new.erase_node(node)
        return fx.GraphModule(self.root, self.new, class_name="CompactModel")

    # ---------------------------------------------------------------- nodes

    def _copy(self, node: fx.Node, nodes: dict[fx.Node, Any]) -> Any:
        if node.op == "placeholder":
            if node.name in self.names:
                return None  # bound where it is used: to a module, or as an attribute
            return self.new.placeholder(node.name)
        if node.op == "output":
            return self.new.output(fx.node.map_arg(node.args[0], lambda n: self._value(n, nodes)))
        name = op_name(node.target)
        if name in IGNORED:
            return None
        module = self._as_module(node, name) if self.as_modules else None
        if module is not None:
            return self.new.call_module(module, (self._value(node.args[0], nodes),))
        args = fx.node.map_arg(node.args, lambda n: self._value(n, nodes))
        kwargs = fx.node.map_arg(node.kwargs, lambda n: self._value(n, nodes))
        target, args, kwargs = rewrite(node, args, kwargs, self.new, self.left)
        return self.new.call_function(target, args, _without_device(kwargs))

    def _value(self, node: Any, nodes: dict[fx.Node, Any]) -> Any:
        if nodes[node] is None and node.name in self.names:
            name = self.names[node.name]
            _put(self.root, name, self.tensors[name])
            nodes[node] = self.new.get_attr(name)
        return nodes[node]

    # ---------------------------------------------------------------- modules

    def _as_module(self, node: fx.Node, name: str) -> str | None:
        """The dotted name of an nn module that does the same as this node, made once, or None."""
        if name in ("dropout", "feature_dropout", "alpha_dropout"):
            return self._dropout(node, name)
        if name not in (*CONVS, "linear", "batch_norm", "layer_norm", "group_norm", "embedding"):
            return None
        if not all(isinstance(a, int | float | bool | list | tuple | str | None) for a in _plain(node)):
            return None
        weight = 0 if name == "embedding" else 2 if name in ("layer_norm", "group_norm") else 1
        prefix = self._prefix(node, weight, name)
        if prefix is None:
            return None
        made = self._make(name, node, prefix)
        key = repr(made)
        if prefix in self.made:
            return prefix if self.made[prefix] == key else None
        self.made[prefix] = key
        for leaf in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            tensor = self.tensors.get(f"{prefix}.{leaf}")
            if tensor is not None and hasattr(made, leaf):
                setattr(made, leaf, tensor)
        _put(self.root, prefix, made)
        return prefix

    def _prefix(self, node: fx.Node, weight: int, name: str) -> str | None:
        """The module whose weight and bias (and statistics) are the arguments of this node, all under their usual names."""
        leaves = {weight: "weight"}
        if name != "embedding":
            leaves[weight + 1] = "bias"
        if name == "batch_norm":
            leaves |= {3: "running_mean", 4: "running_var"}
        prefixes = set()
        for position, leaf in leaves.items():
            value = node.args[position] if len(node.args) > position else None
            if value is None:
                continue
            full = self.names.get(value.name, "") if isinstance(value, fx.Node) else ""
            if not full.endswith(f".{leaf}"):
                return None
            prefixes.add(full.removesuffix(f".{leaf}"))
        if len(prefixes) != 1 or (name == "batch_norm" and (len(node.args) < 5 or node.args[3] is None or node.args[5])):
            return None
        prefix = prefixes.pop()
        original = self.subject.model.get_submodule(prefix)
        bias = len(node.args) > weight + 1 and node.args[weight + 1] is not None
        has_bias = getattr(original, "bias", None) is not None
        has_weight = getattr(original, "weight", None) is not None
        return prefix if has_weight and (bias == has_bias or name == "embedding") else None

    def _make(self, name: str, node: fx.Node, prefix: str) -> nn.Module:
        assert self.graph.coupling is not None
        shape = tuple(self.tensors[f"{prefix}.weight"].shape)
        bias = f"{prefix}.bias" in self.tensors
        args: Any = node.args
        with torch.device("meta"):
            if name == "linear":
                return nn.Linear(shape[1], shape[0], bias=bias)
            if name == "embedding":
                padding = args[2] if len(args) > 2 and args[2] != -1 else None
                return nn.Embedding(shape[0], shape[1], padding_idx=padding)
            if name == "layer_norm":
                return nn.LayerNorm(shape, eps=args[4] if len(args) > 4 else 1e-5, bias=bias)
            if name == "group_norm":
                return nn.GroupNorm(args[1], shape[0], eps=args[4] if len(args) > 4 else 1e-5)
            if name == "batch_norm":
                rank = len(self.graph.coupling.values[args[0].name].shape)
                return NORMS[rank](shape[0], eps=args[7], momentum=self._momentum(prefix, args[6]))
            return self._make_conv(name, node, shape, bias)

    def _momentum(self, prefix: str, exported: float) -> float | None:
        return getattr(self.subject.model.get_submodule(prefix), "momentum", exported)

    def _make_conv(self, name: str, node: fx.Node, shape: tuple[int, ...], bias: bool) -> nn.Module:
        values: Any = node.args[3:]
        spatial = len(shape) - 2
        at = lambda i, default: values[i] if len(values) > i else default  # noqa: E731
        if name.startswith("conv_transpose"):
            stride, padding, extra, groups, dilation = at(0, [1]), at(1, [0]), at(2, [0]), at(3, 1), at(4, [1])
            groups = conv_groups(node, groups, self.left)
            return CONVS[name](shape[0], shape[1] * groups, shape[2:], _wide(stride, spatial), _wide(padding, spatial),
                               _wide(extra, spatial), groups, bias, _wide(dilation, spatial))  # fmt: skip
        stride, padding, dilation, groups = at(0, [1]), at(1, [0]), at(2, [1]), at(3, 1)
        groups = conv_groups(node, groups, self.left)
        return CONVS[name](shape[1] * groups, shape[0], shape[2:], _wide(stride, spatial), _wide(padding, spatial),
                           _wide(dilation, spatial), groups, bias)  # fmt: skip

    def _dropout(self, node: fx.Node, name: str) -> str | None:
        kinds = {"dropout": nn.Dropout, "feature_dropout": nn.Dropout2d, "alpha_dropout": nn.AlphaDropout}
        path = where(node)
        try:
            original = self.subject.model.get_submodule(path)
        except AttributeError:
            original = None
        if not isinstance(original, nn.modules.dropout._DropoutNd):
            path = f"dropout_of_{path.replace('.', '_').replace(' ', '_')}_{node.name}"
        probability: Any = node.args[1]
        _put(self.root, path, kinds[name](probability))
        return path

    # ---------------------------------------------------------------- completeness

    def _add_unused(self) -> None:
        """Parameters that the graph never reads keep their names too."""
        self.unused = [name for name in self.subject.model.state_dict() if not _has(self.root, name)]

    def _adopt_unused(self, module: fx.GraphModule) -> None:
        for name in self.unused:
            if not _has(module, name):
                _put(module, name, self.tensors[name])

    def _unpack_outputs(self) -> None:
        """A single tensor comes back as itself, other outputs in the structure of the original."""
        program = self.graph.program
        assert program is not None and program.call_spec.out_spec is not None
        output = next(n for n in self.new.nodes if n.op == "output")
        values = output.args[0]
        spec = program.call_spec.out_spec
        if isinstance(values, tuple | list) and spec.is_leaf():
            output.args = (values[0],)
        elif isinstance(values, tuple | list):
            output.args = (torch.utils._pytree.tree_unflatten(list(values), spec),)


def boundary(region: Sequence[fx.Node], names: Mapping[str, str]) -> tuple[fx.Node, ...]:
    """The nodes outside of a region whose values it reads, in the order of first use; `names` are placeholders of tensors."""
    inside = set(region)
    read = (source for node in region for source in node.all_input_nodes)
    return tuple(dict.fromkeys(n for n in read if n not in inside and n.name not in names))


def _plain(node: fx.Node) -> list[Any]:
    return [*(a for a in node.args if not isinstance(a, fx.Node)), *node.kwargs.values()]


def _wide(value: Any, spatial: int) -> Any:
    if isinstance(value, str):
        return value
    values = [value] if isinstance(value, int) else list(value)
    return tuple(values * spatial if len(values) == 1 else values)


def _without_device(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in kwargs.items() if key not in ("device", "pin_memory", "layout")}


def _put(root: nn.Module, name: str, item: Any) -> None:
    """Set a parameter, buffer or module at a dotted name, with plain modules in between."""
    *path, leaf = name.split(".")
    for part in path:
        if not hasattr(root, part):
            root.add_module(part, nn.Module())
        root = getattr(root, part)
    if isinstance(item, nn.Parameter):
        root.register_parameter(leaf, item)
    elif isinstance(item, nn.Module):
        for key, child in getattr(root, leaf, nn.Module()).named_children():
            item.add_module(key, child)
        root.add_module(leaf, item)
    else:
        root.register_buffer(leaf, item)


def _has(root: nn.Module, name: str) -> bool:
    *path, leaf = name.split(".")
    for part in path:
        root = getattr(root, part, None)  # type: ignore[assignment]
        if root is None:
            return False
    return hasattr(root, leaf)


