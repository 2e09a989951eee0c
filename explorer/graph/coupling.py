"""Which channels must go together? The model's own data movement answers: labels are propagated through its graph."""

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils.flop_counter import FlopCounterMode

from ..errors import GraphError
from ..values import Group, Slot
from .labels import Labelled, Ties, varying
from .rules import RULES, Call, freeze_all, labelled, pointwise

PRODUCERS = ("conv", "linear", "embedding", "matmul", "mm", "bmm", "addmm", "einsum")
IGNORED = ("_assert_tensor_metadata", "_assert_scalar", "sym_constrain_range_for_size")


@dataclass(frozen=True, eq=False)
class Coupling:
    """The solved labels of one graph.

    Args:
        unit_class: (labels,) the class of each label: labels of one class are removed together.
        values: node name -> its labelled value (or tuple of them), shapes at batch 1.
        groups: the coupled groups.
        classes: group -> (units,) class of each unit.
        macs: node name -> multiply-adds of one sample.
    """

    unit_class: Tensor
    values: Mapping[str, Any]
    groups: tuple[Group, ...]
    classes: Mapping[str, Tensor]
    macs: Mapping[str, int]


def op_name(target: Any) -> str:
    """The name of an aten operator without its overload, such as "conv2d"; "" for anything else."""
    packet = getattr(target, "overloadpacket", None)
    return packet.__name__ if packet is not None else ""


def where(node: fx.Node) -> str:
    """The dotted name of the module in which a node was traced, "the model" at the top."""
    stack = node.meta.get("nn_module_stack") or {}
    paths = [str(path) for path, _ in stack.values()]
    path = paths[-1] if paths else ""
    return path.removeprefix("L['self'].").removeprefix("L__self___") or "the model"


class Walk:
    """One pass over an exported graph: shapes at batch 1 on the meta device, labels, ties, multiply-adds."""

    def __init__(self, program: torch.export.ExportedProgram):
        signature = program.graph_signature
        self.names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        self.names |= signature.inputs_to_lifted_tensor_constants
        self.program, self.ties = program, Ties()
        self.values: dict[str, Any] = {}
        self.batch = 1
        self.macs: dict[str, int] = {}
        self.slots: dict[tuple[str, int], Tensor] = {}  # (tensor, dim) -> its labels
        self.produced: dict[tuple[str, int], tuple[str, str]] = {}  # (tensor, dim) -> layer, where

    def run(self) -> "Walk":
        with FlopCounterMode(display=False) as counter:
            for node in self.program.graph.nodes:
                before = counter.get_total_flops()
                self.values[node.name] = self._step(node)
                spent = counter.get_total_flops() - before
                if spent:
                    self.macs[node.name] = spent // 2 // self.batch
        return self

    def _step(self, node: fx.Node) -> Any:
        if node.op == "placeholder":
            return self._placeholder(node)
        if node.op == "output":
            for value in labelled(self._look_up(node.args)):
                for array in value.arrays:
                    self.ties.freeze(array, "is an output of the model")
            return None
        if node.op != "call_function":
            raise GraphError(f"The exported graph holds a {node.op} named {node.name!r}, which cannot be analysed.")
        return self._call(node)

    def _placeholder(self, node: fx.Node) -> Labelled:
        value = node.meta["val"]
        if node.name not in self.names:
            shape = [1 if not isinstance(s, int) else s for s in value.shape]
            if shape and isinstance(value.shape[0], int):
                self.batch = shape[0]  # the export is static: its literals hold the example's batch
            return Labelled(torch.empty(shape, dtype=value.dtype, device="meta"))
        full = tuple(value.shape)
        tensor = self.names[node.name]
        arrays = []
        for dim, size in enumerate(full):
            labels = self.ties.fresh(full, dim)
            self.slots[tensor, dim] = labels.flatten()
            if size > 1:
                arrays.append(labels)
        return Labelled(torch.empty(full, dtype=value.dtype, device="meta"), tuple(arrays), parameter=True)

    def _look_up(self, item: Any) -> Any:
        return fx.node.map_arg(item, lambda n: self.values[n.name])

    def _call(self, node: fx.Node) -> Any:
        args, kwargs = self._look_up(node.args), self._look_up(node.kwargs)
        target: Any = node.target
        if target is operator.getitem:
            return args[0][args[1]]
        strip = lambda v: fx.node.map_aggregate(v, lambda x: x.meta if isinstance(x, Labelled) else x)  # noqa: E731
        if op_name(target) in IGNORED:
            return None
        if not labelled([args, kwargs]) and not isinstance(target, torch._ops.OpOverload):
            return target(*args, **kwargs)
        out = self._execute(target, strip(args), strip(kwargs))
        if not isinstance(out, torch.Tensor | list | tuple):
            return out
        call = Call(self.ties, target, tuple(args), dict(kwargs), out, where(node))
        return self._labelled(node, call)

    def _execute(self, target: Any, args: Any, kwargs: Any) -> Any:
        """The op on the meta device, for shape and multiply-adds."""
        there = lambda item: torch.device("meta") if isinstance(item, torch.device) else item  # noqa: E731
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
        if name in RULES:
            arrays = RULES[name](call)
            self._note_producer(node, name, call)
        elif isinstance(call.target, torch._ops.OpOverload) and _is_pointwise(call.target):
            arrays = pointwise(call)
        else:
            freeze_all(call, f"goes through {name} in {call.where}, for which there is no rule")
            self._note_parameters(node, call)
            arrays = () if isinstance(call.out, Tensor) else [() for _ in call.out]
        if isinstance(call.out, Tensor):
            return Labelled(call.out, tuple(arrays), parameter)
        return tuple(
            Labelled(o, tuple(a), parameter) if isinstance(o, Tensor) else o for o, a in zip(call.out, arrays, strict=True)
        )

    def _note_parameters(self, node: fx.Node, call: Call) -> None:
        """The weights of an operator without a rule are listed, so that its frozen channels are."""
        for argument in node.all_input_nodes:
            tensor = self.names.get(argument.name)
            if tensor and self.values[argument.name].meta.dim() >= 2:
                self.produced.setdefault((tensor, 0), (tensor.removesuffix(".weight"), call.where))

    def _note_producer(self, node: fx.Node, name: str, call: Call) -> None:
        """Remember which parameter dimension makes the outputs of this node, and the layer's name."""
        if not name.startswith(PRODUCERS):
            return
        for argument in node.all_input_nodes[0 if name == "embedding" else 1 :]:
            tensor = self.names.get(_source(argument).name)
            if tensor and self.values[_source(argument).name].meta.dim() >= 2:
                shape = self.values[_source(argument).name].shape
                turned = (name.startswith("conv_transpose")) or name == "embedding" or (name != "linear" and name[:4] != "conv")
                dim = (len(shape) - 1 if not name.startswith("conv") else 1) if turned else 0
                if _source(argument) is not argument and name != "linear":
                    dim = 0
                self.produced.setdefault((tensor, dim), (tensor.removesuffix(".weight"), call.where))


def _source(node: fx.Node) -> fx.Node:
    """Follow casts and transposes of a parameter back to it."""
    while node.op == "call_function" and len(node.all_input_nodes) == 1:
        node = node.all_input_nodes[0]
    return node


def _is_pointwise(target: torch._ops.OpOverload) -> bool:
    if torch.Tag.pointwise in target.tags:
        return True
    name = target.overloadpacket.__name__
    functional = getattr(torch.ops.aten, name.rstrip("_"), None)
    if functional is None or not name.endswith("_") or target._overloadname not in functional.overloads():
        return False
    return torch.Tag.pointwise in getattr(functional, target._overloadname).tags


# --------------------------------------------------------------------------- solving


def solve(walk: Walk) -> Coupling:
    """Ties -> classes that keep every tensor rectangular -> coupled groups."""
    ties = walk.ties
    spread = [a for a in (*_all_arrays(walk.values.values()), *ties.passing) if len(varying(a)) > 1]
    classes = ties.components()
    for _ in range(20):
        ragged = [a for a in spread if not _rectangular(classes[a.clamp(min=0)])]
        if not ragged:
            break
        for array in ragged:
            ties.tie_along(array, varying(array) - {_widest(classes[array.clamp(min=0)])})
        classes = ties.components()
    for array, dim, why in ties.picked:
        held = classes[array.clamp(min=0)]
        if bool((held != held.narrow(dim, 0, 1)).any()) and _hyperplanes(held, dim):
            ties.freeze(array, why)
    for array, dims, why in ties.missing:  # whole heads may meet values that do not vary within a head
        held = classes[array.clamp(min=0)]
        if any(bool((held != held.narrow(dim, 0, 1)).any()) for dim in dims):
            ties.freeze(array, why)
    frozen = _frozen_reasons(ties, classes)
    groups, units = _groups(walk, classes, frozen)
    return Coupling(classes, walk.values, groups, units, walk.macs)


def _all_arrays(values: Any) -> list[Tensor]:
    return [array for value in labelled(list(values)) for array in value.arrays]


def _hyperplanes(classes: Tensor, dim: int) -> bool:
    """Each hyperplane of a dimension belongs to one class."""
    flat = classes.movedim(dim, 0).flatten(1)
    return bool((flat == flat[:, :1]).all())


def _rectangular(classes: Tensor) -> bool:
    return any(_hyperplanes(classes, dim) for dim in varying(classes)) or not varying(classes)


def _widest(classes: Tensor) -> int:
    """The dimension along which most units stay apart when the others are tied."""
    return max(sorted(varying(classes)), key=lambda dim: (_apart(classes, dim), -dim))


def _apart(classes: Tensor, dim: int) -> int:
    rows = classes.movedim(dim, 0).flatten(1)
    local = Ties(labels=int(rows.max()) + 1)
    local.tie(rows, rows[:, :1])
    return len(local.components()[rows].unique())


def _frozen_reasons(ties: Ties, classes: Tensor) -> dict[int, str]:
    reasons: dict[int, str] = {}
    for labels, why in ties.frozen:
        for unit in classes[labels].unique().tolist():
            reasons.setdefault(unit, why)
    return reasons


def _groups(walk: Walk, classes: Tensor, frozen: dict[int, str]) -> tuple[tuple[Group, ...], dict[str, Tensor]]:
    """Classes that live on the same set of slots are one group; groups without a producer have no fader."""
    footprint: dict[int, list[tuple[str, int]]] = {}
    for slot, labels in walk.slots.items():
        for unit in classes[labels].unique().tolist():
            footprint.setdefault(unit, []).append(slot)
    members: dict[tuple[tuple[tuple[str, int], ...], str | None], list[int]] = {}
    for unit in sorted(footprint):
        members.setdefault((tuple(footprint[unit]), frozen.get(unit)), []).append(unit)
    order = {slot: position for position, slot in enumerate(walk.produced)}
    found = []
    for (slots, reason), units in members.items():
        producers = [slot for slot in slots if slot in walk.produced]
        if producers:
            found.append((min(order[s] for s in producers), slots, reason, units))
    found.sort(key=lambda item: (item[0], item[3][0]))
    groups, unit_classes, taken = [], {}, set()
    explained = [(int(classes[label]), text) for label, text in walk.ties.reasons]
    heads = {int(classes[label]) for label in (h[0] for h in walk.ties.heads if len(h) and int(h[0]) >= 0)}
    for first, slots, reason, units in found:
        reason = reason or ("is a single channel, and at least one stays" if len(units) == 1 else None)
        base = list(walk.produced.values())[first][0]
        name, copy = base, 2
        while name in taken:
            name, copy = f"{base}#{copy}", copy + 1
        taken.add(name)
        unit_classes[name] = torch.tensor(units)
        groups.append(_group(walk, classes, name, slots, reason, units, explained, heads))
    return tuple(groups), unit_classes


def _group(
    walk: Walk, classes: Tensor, name: str, slots: tuple, reason: str | None, units: list[int], explained: list, heads: set[int]
) -> Group:
    number = torch.full((int(classes.max()) + 1,), -1)
    number[torch.tensor(units)] = torch.arange(len(units))
    own = set(units)
    made = tuple(
        Slot(tensor, dim, tuple(number[classes[walk.slots[tensor, dim]]].tolist()), (tensor, dim) in walk.produced)
        for tensor, dim in slots
    )
    layers = dict.fromkeys(slot.tensor.rsplit(".", 1)[0] if "." in slot.tensor else slot.tensor for slot in made)
    tied_by = tuple(dict.fromkeys(text for unit, text in explained if unit in own))
    unit = "head" if own & heads else "channel"
    return Group(name, len(units), made, tuple(layers), tied_by, reason, unit)
