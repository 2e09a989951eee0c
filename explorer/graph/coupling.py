"""Finds which channels must be removed together by propagating labels through the model's graph."""

import operator
from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils.flop_counter import FlopCounterMode

from ..errors import GraphError
from ..values.profile import Group
from .known_positions import known_positions
from .labels import Labelled, Ties, varying
from .nodes import IGNORED, is_of_func, layer_of, op_name, where
from .program import Counted, Program, Shaped, alone, output_of, plain
from .refusals import READS_VALUES, no_tensor, reads_values, uncuttable
from .rules.call import RULES, Call, freeze_all, labelled
from .rules.contractions import spelled
from .rules.elementwise import pointwise

PRODUCERS = ("conv", "linear", "embedding", "matmul", "mm", "bmm", "addmm", "baddbmm", "einsum", "bilinear")


@dataclass(frozen=True, eq=False)
class Coupling:
    """The solved labels of one graph.

    Args:
        unit_class: (labels,) the class of each label: labels of one class are removed together.
        values: node name -> its labelled value (or tuple of them), shapes at batch 1.
        groups: the coupled groups.
        classes: group -> (units,) class of each unit.
        macs: node name -> multiply-adds for one sample.
        weights: node name -> the weight that produces its outputs.
    """

    unit_class: Tensor
    values: Mapping[str, Any]
    groups: tuple[Group, ...]
    classes: Mapping[str, Tensor]
    macs: Mapping[str, int]
    weights: "Mapping[str, OutputMaker]"


@dataclass(frozen=True)
class OutputMaker:
    """The weight that produces the outputs of a node.

    Args:
        tensor, dim: the parameter, and its dimension for the outputs.
        whole: the node multiplies with all of it, as it is or computed from it; otherwise with a part.
    """

    tensor: str
    dim: int
    whole: bool


class Walk:
    """One pass over an exported graph: shapes at batch 1 on the meta device, labels, ties, multiply-adds.

    Args:
        buffers: of the model, by name.
        inner: follow the copies of what is copied, in place of what is copied (see `inner_heads`).
    """

    def __init__(self, program: Program, buffers: Mapping[str, Tensor], *, inner: bool = False):
        self.names, self.buffers = program.tensors, buffers
        self.program, self.ties = program, Ties(inner=inner)
        self.values: dict[str, Any] = {}
        self._made: dict[str, Any] = {}
        self.known = known_positions(program, buffers)
        self.batch = 1
        self.macs: dict[str, int] = {}
        self.slots: dict[tuple[str, int], Tensor] = {}  # (tensor, dim) -> its labels
        self.produced: dict[tuple[str, int], tuple[str, str]] = {}  # (tensor, dim) -> layer, module
        self.weights: dict[str, OutputMaker] = {}  # node -> the weight that produces its outputs
        self.parameters = frozenset(program.parameters.values())
        self.ranges: list[tuple[int, tuple[str, int]]] = []  # first label -> its slot, in order
        self.sizes: dict[str, int] = {}
        self.ranks: dict[str, int] = {}

    def run(self) -> "Walk":
        for node in self.program.graph.nodes:
            self.values[node.name] = self._step(node)
        return self

    @property
    def counted(self) -> Counted:
        """Return what the walk has shown, so that another need not run the nodes again."""
        return Counted(dict(self._made), dict(self.macs))

    def _step(self, node: fx.Node) -> Any:
        if node.op == "placeholder":
            return self._placeholder(node)
        if node.op == "output":
            for value in labelled(self._look_up(node.args)):
                for array in value.arrays:
                    self.ties.freeze(array, "is an output of the model")
            return None
        if node.op != "call_function":
            raise GraphError(uncuttable(node))
        return self._call(node)

    def _placeholder(self, node: fx.Node) -> Labelled:
        value = output_of(node)
        if value is None:
            raise GraphError(no_tensor())
        if node.name not in self.names:
            if value.shape and isinstance(value.shape[0], int):  # its literals contain the example's batch
                self.batch = self.ties.batch = value.shape[0]
            return Labelled(value.alone())
        full = tuple(value.shape)
        tensor = self.names[node.name]
        arrays = []
        self.sizes[tensor], self.ranks[tensor] = prod(full), len(full)
        for dim, size in enumerate(full):
            self.ranges.append((self.ties.labels, (tensor, dim)))
            labels = self.ties.fresh(full, dim)
            self.slots[tensor, dim] = labels.flatten()
            if tensor not in self.parameters:
                self.ties.tables.update(self.slots[tensor, dim].tolist())
            if size > 1:
                arrays.append(labels)
        meta = torch.empty(full, dtype=value.dtype, device="meta")
        return Labelled(meta, tuple(arrays), parameter=True, known=self.known.get(node.name))

    def _look_up(self, item: Any) -> Any:
        return fx.node.map_arg(item, lambda n: self.values[n.name])

    def _call(self, node: fx.Node) -> Any:
        args, kwargs = self._look_up(node.args), self._look_up(node.kwargs)
        target: Any = node.target
        if target is operator.getitem:
            return args[0][args[1]]

        def strip(v):
            return fx.node.map_aggregate(v, lambda x: x.meta if isinstance(x, Labelled) else x)

        if op_name(target) in IGNORED:
            return None
        if op_name(target) in READS_VALUES:
            raise GraphError(reads_values(node))
        if is_of_func(target):
            raise GraphError(uncuttable(node))
        if not labelled([args, kwargs]) and not isinstance(target, torch._ops.OpOverload):
            return target(*args, **kwargs)
        out = self._counted(node, target, strip(args), strip(kwargs))
        self._made[node.name] = plain(out)
        if not isinstance(out, torch.Tensor | list | tuple):
            return out
        taken: list[Any] = [u.args[1] for u in node.users if u.target is operator.getitem and u.users]
        call = Call(self.ties, target, tuple(args), dict(kwargs), out, where(node), frozenset(taken))
        return self._labelled(node, call)

    def _counted(self, node: fx.Node, target: Any, args: Any, kwargs: Any) -> Any:
        """Return the result of an op, and note its multiply-adds, which may be known from an earlier walk."""
        known = self.program.counted
        if known is not None:
            if node.name in known.macs:
                self.macs[node.name] = known.macs[node.name]
            return alone(known.values[node.name])
        # counted here alone: whatever the rules do with labels would be intercepted, too
        with FlopCounterMode(display=False) as counter:
            out = self._executed(node, target, args, kwargs)
        spent = counter.get_total_flops()
        if spent:
            self.macs[node.name] = spent // 2 // self.batch
        return out

    def _executed(self, node: fx.Node, target: Any, args: Any, kwargs: Any) -> Any:
        """Return the result of an op; for one that does not run without values, the shapes that the export
        recorded.
        """
        try:
            return self._execute(target, args, kwargs)
        except RuntimeError as error:
            noted: Any = output_of(node)
            missing = isinstance(error, NotImplementedError)
            if not isinstance(noted, Shaped | list | tuple) or (has_rule(target) and not missing):
                raise
            return alone(noted)

    def _execute(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Run the op on the meta device, for shape and multiply-adds."""

        def there(item):
            return torch.device("meta") if isinstance(item, torch.device) else item

        args, kwargs = (fx.node.map_aggregate(item, there) for item in (args, kwargs))
        if "device" in kwargs:
            kwargs = {**kwargs, "device": torch.device("meta")}
        with torch.no_grad():
            return target(*args, **kwargs)

    def _labelled(self, node: fx.Node, call: Call) -> Any:
        name = op_name(call.target).rstrip("_") or str(call.target)
        operands = labelled([call.args, call.kwargs])
        parameter = bool(operands) and all(o.parameter for o in operands)
        arrays: Any
        if name.startswith("conv") and any(isinstance(argument, fx.Node) for argument in node.args[3:]):
            freeze_all(call, f"convolved with other weights for each sample in {call.where}")
            arrays = ()
        elif name in RULES:
            arrays = RULES[name](call)
            self._note_producer(node, name, call)
        elif isinstance(call.target, torch._ops.OpOverload) and is_pointwise(call.target):
            arrays = pointwise(call)
            arrays = arrays if isinstance(call.out, Tensor) else [arrays for _ in call.out]
        else:
            freeze_all(call, f"goes through {name} in {call.where}, for which there is no rule")
            self._note_parameters(node, call)
            arrays = () if isinstance(call.out, Tensor) else [() for _ in call.out]
        if isinstance(call.out, Tensor):
            return Labelled(call.out, tuple(arrays), parameter, self.known.get(node.name))
        return tuple(
            Labelled(o, tuple(a), parameter) if isinstance(o, Tensor) else o
            for o, a in zip(call.out, arrays, strict=True)
        )

    def _note_parameters(self, node: fx.Node, call: Call) -> None:
        """List the weights of an operator without a rule, so that its frozen channels are listed."""
        for argument in node.all_input_nodes:
            tensor = self.names.get(argument.name)
            if tensor and self.values[argument.name].meta.dim() >= 2:
                self.produced.setdefault((tensor, 0), (layer_of(tensor), call.where))

    def _note_producer(self, node: fx.Node, name: str, call: Call) -> None:
        """Record which parameter's dimension produces the outputs of this node: of the weight itself, or of
        the tensor that it was computed from.
        """
        if not name.startswith(PRODUCERS):
            return
        for argument, dim in _weights(node, name, call):
            value = self.values[argument.name]
            if value.parameter and value.meta.dim() >= 2:
                slot = (
                    (self.names[argument.name], dim)
                    if argument.name in self.names
                    else self._maker(value, dim)
                )
                if slot is not None and slot[0] in self.parameters:
                    self.produced.setdefault(slot, (layer_of(slot[0]), call.where))
                    self.ties.computed.update(self.slots[slot].tolist())
                    self.weights[node.name] = OutputMaker(
                        slot[0], slot[1], whole=self.sizes[slot[0]] == value.meta.numel()
                    )
                    return

    def _maker(self, value: Labelled, dim: int) -> tuple[str, int] | None:
        """Return the largest matrix whose labels a computed weight has along a dimension (a scale may have
        them too).
        """
        lines = [array[array >= 0].unique().tolist() for array in value.arrays if dim in varying(array)]

        def place(label):
            return bisect(self.ranges, label, key=lambda start: start[0]) - 1

        slots = {self.ranges[place(label)][1] for line in lines for label in line}
        matrices = [slot for slot in slots if self.ranks[slot[0]] >= 2]
        return max(matrices, key=lambda slot: (self.sizes[slot[0]], slot), default=None)


def _weights(node: fx.Node, name: str, call: Call) -> list[tuple[fx.Node, int]]:
    """Return the arguments of a node that may be its weight, and the output dimension of each."""

    def rank(position):
        return call.args[position].meta.dim()

    if name == "einsum":
        inputs, output = spelled(call.args[0], [len(operand.shape) for operand in call.args[1]])
        own = [
            [d for d, x in enumerate(word) if x in output and "".join(inputs).count(x) == 1]
            for word in inputs
        ]
        weights = [(argument, dims[-1]) for argument, dims in zip(node.args[1], own, strict=True) if dims]  # type: ignore[arg-type]
    elif name == "bilinear":
        weights = [(node.args[2], 0)]
    elif name == "embedding":
        weights = [(node.args[0], rank(0) - 1)]
    elif name in ("matmul", "mm", "bmm", "addmm", "baddbmm"):
        second = 2 if name.startswith(("add", "badd")) else 1
        weights = [(node.args[second], rank(second) - 1), (node.args[second - 1], rank(second - 1) - 2)]
    else:
        turned = name.startswith("conv_transpose") or (name == "convolution" and call.args[6])
        weights = [(node.args[1], 1 if turned else 0)]
    return weights


def has_rule(target: Any) -> bool:
    """Whether it is known how labels pass through an operator."""
    return op_name(target).rstrip("_") in RULES or is_pointwise(target)


def is_pointwise(target: torch._ops.OpOverload) -> bool:
    if torch.Tag.pointwise in target.tags:
        return True
    name = target.overloadpacket.__name__
    functional = getattr(torch.ops.aten, name.rstrip("_"), None)
    if functional is None or not name.endswith("_") or target._overloadname not in functional.overloads():
        return False
    return torch.Tag.pointwise in getattr(functional, target._overloadname).tags
