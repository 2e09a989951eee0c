"""Masks -> a physically smaller model: every slot is index-selected, literal sizes are rewritten, modules
keep their names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from ..errors import CompactionError
from ..graph.analysed import Analysed
from ..graph.blocks import is_overwritten, nodes_without, sums_without
from ..graph.detours import functional
from ..graph.nodes import op_name
from ..graph.rewriting import groups_left, order_left, rewrite
from ..graph.running import fixed_batch
from ..graph.survivors import Survivors
from ..values.profile import Masks
from .cut_tensors import CutTensors
from .devices import device_node, makes_a_tensor, without_device
from .dotted_names import has, hide, put
from .fixed_batch import run_in_portions
from .input_shape import refuse_other_sizes
from .modules import filled
from .plan import own_tensors, plan_of

SOURCE = "source"  # of a node of the smaller model: the name of the one that it stands for


def compact(
    model: Analysed, masks: Masks, *, state: Mapping[str, Tensor] | None = None, share: bool = False
) -> fx.GraphModule:
    """Build the smaller model; the subject's model is not changed.

    Names in state_dict are the original's, any batch size works, and the result can be trained and exported
    again. Inputs must have the shape of the example: others are refused, since sizes in the graph are fixed.

    Args:
        state: tensors to use in place of the model's own (for the audit), named as in its state_dict.
        share: what the cut leaves as it was is the model's own memory, not a copy.
    Raises:
        CompactionError: the graph is missing, or the masks leave a tensor that cannot be built.
    """
    if model.graph.program is None or model.graph.coupling is None:
        raise CompactionError(
            f"This model has no graph, so channels cannot be removed: {model.profile.error}"
        )
    return Builder(model, masks, state, share).build()


@dataclass(eq=False)
class Builder:
    """Copies nodes of the dense graph into a new one, with their tensors cut and their literals rewritten."""

    model: Analysed
    masks: Masks
    state: Mapping[str, Tensor] | None = None
    share: bool = False

    def __post_init__(self) -> None:
        graph, network = self.model.graph, self.model.subject.model
        coupling = graph.coupling
        assert coupling is not None
        self.left = Survivors(coupling, self.masks.channels)
        self.plan = plan_of(network, graph)
        self.names = self.plan.names
        own = own_tensors(network, graph, self.names)
        weights = {
            graph.profile.prunable_layers[layer].weight: mask for layer, mask in self.masks.weights.items()
        }
        self.tensors = CutTensors(own, self.names, weights, self.left, self.state, share=self.share)
        assert graph.program is not None
        self.sums = sums_without(graph.branches, self.masks.blocks)
        self.gone = nodes_without(graph.program, graph.branches, self.masks.blocks)
        self.root, self.new = nn.Module(), fx.Graph()
        self.filled: set[str] = set()
        self.orders: list[str] = []  # constants
        self.as_modules = True
        self.device: torch.device | None = None  # that of the input

    def build(self) -> fx.GraphModule:
        """Build the whole model."""
        program = self.model.graph.program
        assert program is not None
        nodes: dict[fx.Node, Any] = {}
        for node in program.graph.nodes:
            nodes[node] = self._copy(node, nodes)
            if isinstance(nodes[node], fx.Node) and node not in self.sums:
                nodes[node].meta[SOURCE] = node.name
        self._unpack_outputs()
        state = self.model.subject.model.state_dict(keep_vars=True)
        lost = self._lost_modules()
        module = self._finished()
        for name in state:  # parameters that the graph never reads keep their names too
            if not has(module, name) and name.rpartition(".")[0] not in lost:
                put(module, name, self.tensors[name])
        for name in (
            *self.names.values(),
            *self.orders,
        ):  # constants of the graph are not part of the model's state
            if name not in state and has(module, name):
                hide(module, name)
        fixed = fixed_batch(program)
        if fixed is not None:
            run_in_portions(module, fixed)
        if not self.model.graph.any_size:
            refuse_other_sizes(module, tuple(self.model.subject.example.shape[1:]))
        return module.eval()

    def _lost_modules(self) -> set[str]:
        """Return the modules whose tensors went with a block; with them goes what nobody reads."""
        program = self.model.graph.program
        assert program is not None
        read = [n for n in program.graph.nodes if n.name in self.names and n.users]
        return {self.names[n.name].rpartition(".")[0] for n in read if self.gone.issuperset(n.users)}

    def build_part(
        self,
        region: Sequence[fx.Node],
        outputs: Sequence[fx.Node],
        *,
        in_place: bool = False,
        device: str = "cpu",
    ) -> fx.GraphModule:
        """Build some nodes of the dense graph alone, in its order.

        Inputs are the values that they read from outside, by the names of their nodes, in the order of first
        use; it returns the tuple of `outputs`. It cannot be trained: its nodes stay operators, which are
        quicker to build than modules.

        Args:
            in_place: operators may write into their inputs, as they do in the model.
            device: where it will run; tensors that it creates itself are created there.
        """
        self.as_modules, self.device = False, torch.device(device)
        nodes: dict[fx.Node, Any] = {}
        for source in boundary(region, self.names):
            nodes[source] = self.new.placeholder(source.name)
        for node in region:
            nodes.update(
                dict.fromkeys(n for n in node.all_input_nodes if n.name in self.names and n not in nodes)
            )
            nodes[node] = self._copy(node, nodes)
            if isinstance(nodes[node], fx.Node) and not in_place:
                nodes[node].target = functional(nodes[node].target) or nodes[node].target
        self.new.output(tuple(nodes[node] for node in outputs))
        return self._finished().eval()

    def _finished(self) -> fx.GraphModule:
        for node in reversed(self.new.nodes):
            # an operator that writes into its argument is needed even if nothing reads its result
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
        if node in self.plan.skipped or node in self.gone:
            return None
        if node in self.sums:
            return self._left_of(node, nodes[self.sums[node]])
        if self.as_modules and node in self.plan.modules:
            read = node.args[1 if op_name(node.target) == "embedding" else 0]
            return self.new.call_module(self._module(node), (self._value(read, nodes),))
        args = fx.node.map_arg(node.args, lambda n: self._value(n, nodes))
        kwargs = fx.node.map_arg(node.kwargs, lambda n: self._value(n, nodes))
        order = order_left(node, self.left)
        if order is not None:
            target, args, kwargs = self._in_order(node, args, order)
        else:
            target, args, kwargs = rewrite(node, args, kwargs, self.new, self.left)
        target, args, kwargs = without_device(target, args, kwargs)
        if makes_a_tensor(target):
            kwargs["device"] = self.device or device_node(self.new)
        return self.new.call_function(target, args, kwargs)

    def _in_order(self, node: fx.Node, args: tuple, order: Tensor) -> tuple[Any, tuple, dict]:
        """Return what reads channels in another order, a constant of the smaller model."""
        name = f"{node.name}_order"
        put(self.root, name, order.to(next(iter(self.tensors.values())).device))
        self.orders.append(name)
        held = self.new.get_attr(name)
        if op_name(node.target) in ("index_select", "slice"):
            return torch.ops.aten.index_select.default, (args[0], node.args[1], held), {}
        places = [None if place is None else held for place in node.args[1]]  # type: ignore[union-attr]
        return node.target, (args[0], places), {}

    def _left_of(self, total: fx.Node, left: Any) -> Any:
        """Return what is left of a sum without its branch; a copy if it is written over."""
        if left is None or not is_overwritten(self.sums, self.gone, total):
            return left
        return self.new.call_function(torch.ops.aten.clone.default, (left,))

    def _value(self, node: Any, nodes: dict[fx.Node, Any]) -> Any:
        if nodes[node] is None and node.name in self.names:
            name = self.names[node.name]
            put(self.root, name, self.tensors[name])
            nodes[node] = self.new.get_attr(name)
        return nodes[node]

    def _module(self, node: fx.Node) -> str:
        """Return the dotted name of the module that replaces a node, created at its first call."""
        path, full = self.plan.modules[node]
        if path not in self.filled:
            self.filled.add(path)
            put(self.root, path, filled(full, path, self.tensors, groups_left(node, full, self.left)))
        return path

    def _unpack_outputs(self) -> None:
        """Return a single tensor as itself, other outputs in the structure of the original."""
        program = self.model.graph.program
        assert program is not None
        output = next(n for n in self.new.nodes if n.op == "output")
        values = output.args[0]
        spec = program.form
        if isinstance(values, tuple | list) and spec.is_leaf():
            output.args = (values[0],)
        elif isinstance(values, tuple | list):
            output.args = (torch.utils._pytree.tree_unflatten(list(values), spec),)


def boundary(region: Sequence[fx.Node], names: Mapping[str, str]) -> tuple[fx.Node, ...]:
    """Return the nodes outside a region whose values it reads, in the order of first use; `names` are
    placeholders of tensors.
    """
    inside = set(region)
    read = (source for node in region for source in node.all_input_nodes)
    return tuple(dict.fromkeys(n for n in read if n not in inside and n.name not in names))
