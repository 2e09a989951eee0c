"""What a model computes, as a graph of operators: all that is needed of torch's exported program.

Its shapes are plain values, so that a program can be written to a file and read back without torch.export,
whose import alone takes over a second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils._pytree import TreeSpec, tree_map

from .nodes import WHERE, where

MADE = "made"  # in a node's meta: what it makes


@dataclass(frozen=True)
class OpenSize:
    """A size, or another whole number, that depends on the sizes of the inputs.

    Args:
        text: its formula, such as "4*s77"; the same for two sizes that are always equal.
        alone: its value for one sample, whose other sizes are those of the example.
        times: how many times the batch size it is, or None if it is no multiple of it.
    """

    text: str
    alone: int
    times: int | None = None

    def __int__(self) -> int:
        return self.alone


@dataclass(frozen=True)
class Shaped:
    """A tensor that a node makes, without its numbers."""

    shape: tuple[int | OpenSize, ...]
    dtype: torch.dtype

    def dim(self) -> int:
        return len(self.shape)

    def alone(self) -> Tensor:
        """Return a tensor without memory that has this shape for one sample."""
        return torch.empty([int(size) for size in self.shape], dtype=self.dtype, device="meta")


def output_of(node: fx.Node) -> Any:
    """Return what a node makes: Shaped, OpenSize, a plain number, a list or tuple of these, or None if that
    is not known.
    """
    return node.meta.get(MADE)


def alone(value: Any) -> Any:
    """Return what a node makes for one sample, with tensors without memory."""
    return tree_map(lambda one: one.alone() if isinstance(one, Shaped) else one, value)


def plain(value: Any) -> Any:
    """Return what a node made, without its tensors' numbers."""
    return tree_map(
        lambda one: Shaped(tuple(one.shape), one.dtype) if isinstance(one, Tensor) else one, value
    )


@dataclass(frozen=True)
class Counted:
    """What running each node once for one sample has shown.

    Args:
        values: node -> what it made (see `output_of`), with plain sizes.
        macs: node -> its multiply-adds.
    """

    values: Mapping[str, Any]
    macs: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Program:
    """The graph of a model's forward, whose tensors are inputs by name.

    Args:
        graph: placeholders, calls of operators, and one output.
        parameters, buffers, lifted: placeholder -> name of the tensor; lifted ones are constants of the code.
        inputs: the placeholders of the model's own inputs.
        answers: for each value of the output, whether the model returns it (others are written into buffers).
        constants: tensor -> value, of those that are no part of the model's state.
        form: how the returned values are nested.
        counted: what an earlier run of its nodes has shown, if it is known.
    """

    graph: fx.Graph
    parameters: Mapping[str, str]
    buffers: Mapping[str, str]
    lifted: Mapping[str, str]
    inputs: tuple[str, ...]
    answers: tuple[bool, ...]
    constants: Mapping[str, Any]
    form: TreeSpec
    counted: Counted | None = None

    @cached_property
    def tensors(self) -> Mapping[str, str]:
        """Return placeholder -> parameter, buffer or constant."""
        return {**self.parameters, **self.buffers, **self.lifted}

    @cached_property
    def given(self) -> tuple[fx.Node, ...]:
        """Return the nodes of the model's own inputs."""
        own = set(self.inputs)
        return tuple(node for node in self.graph.nodes if node.op == "placeholder" and node.name in own)


def program_of(exported: torch.export.ExportedProgram) -> Program:
    """Return an exported program as a value of its own; the exported one must not be used any more."""
    from torch.export.graph_signature import OutputKind  # only who has exported needs it

    signature = exported.graph_signature
    sizes = _Sizes(exported.graph, signature.user_inputs)
    for node in exported.graph.nodes:
        node.meta = {MADE: sizes.plain(node.meta.get("val")), WHERE: where(node)}
    assert exported.call_spec.out_spec is not None
    return Program(
        exported.graph,
        dict(signature.inputs_to_parameters),
        dict(signature.inputs_to_buffers),
        dict(signature.inputs_to_lifted_tensor_constants),
        tuple(signature.user_inputs),
        tuple(spec.kind is OutputKind.USER_OUTPUT for spec in signature.output_specs),
        dict(exported.constants),
        exported.call_spec.out_spec,
    )


class _Sizes:
    """Turns torch's symbolic sizes into plain values."""

    def __init__(self, graph: fx.Graph, inputs: Sequence[str]):
        given = [node.meta["val"] for node in graph.nodes if node.op == "placeholder" and node.name in inputs]
        shapes = [value.shape for value in given if isinstance(value, Tensor)]
        every: list[Any] = [size for shape in shapes for size in shape if _is_open(size)]
        batches: list[Any] = [shape[0] for shape in shapes if shape and _is_open(shape[0])]
        self._alone = {size.node.expr: int(size.node.hint) for size in every}
        self._alone |= {size.node.expr: 1 for size in batches}
        first: Any = shapes[0][0] if shapes and shapes[0] else None
        self._batch = first.node.expr if _is_open(first) else None

    def plain(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return Shaped(tuple(self._size(size) for size in value.shape), value.dtype)
        if isinstance(value, list | tuple):
            return type(value)(self.plain(item) for item in value) if type(value) in (list, tuple) else None
        if value is None or isinstance(value, bool | int | float):
            return value
        return self._size(value) if isinstance(value, torch.SymInt) else None

    def _size(self, size: Any) -> int | OpenSize:
        if not _is_open(size):
            return int(size)
        formula = size.node.expr
        known = formula.subs(self._alone)
        alone = int(known.subs(dict.fromkeys(known.free_symbols, 1)))
        share = None if self._batch is None else formula / self._batch
        times = int(share) if share is not None and share.is_Integer else None
        return OpenSize(str(formula), alone, times)


def _is_open(size: Any) -> bool:
    return isinstance(size, torch.SymInt)
