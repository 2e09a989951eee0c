"""Writes out the casts of a part of a model that runs under `torch.autocast`, so that it computes the same
without it.

Which operators cast, and to what, only torch knows: each operator is asked, on tensors without values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, fx
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..errors import GraphError
from .compiler_guards import open_guard
from .nodes import op_name, where
from .quiet import without_log

DEVICE = "cpu"  # models are read there
aten = torch.ops.aten
CAST = aten._to_copy.default
MOVES = (aten.clone.default, aten._unsafe_view.default)  # the same numbers before a cast as after it
Casts = Mapping[fx.Node, torch.dtype]


@cache
def _without_memory() -> FakeTensorMode:
    """Return the mode in which tensors have no values; made when asked, since it imports torch's compiler."""
    return FakeTensorMode()


def write_casts(graph: fx.Graph, device: str, dtype: torch.dtype) -> None:
    """Let each operator of a graph read what autocast would hand to it; the graph is changed.

    Args:
        device, dtype: as of `torch.autocast`.
    Raises:
        GraphError: it is for another device than the one that models are read on, or an operator casts
            between its own steps.
    """
    if device != DEVICE:
        raise GraphError(
            f"The forward uses torch.autocast({device!r}), but models are read on the {DEVICE.upper()}, "
            "where this changes nothing; write torch.autocast(x.device.type) to prune channels, weights can "
            "be."
        )
    casts: dict[tuple[fx.Node, torch.dtype], fx.Node] = {}
    for node in list(graph.nodes):
        if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
            continue
        for source, into in _casts(node, dtype).items():
            if (source, into) not in casts:
                casts[source, into] = _cast(graph, node, source, into)
            node.replace_input_with(source, casts[source, into])


def _cast(graph: fx.Graph, node: fx.Node, source: fx.Node, into: torch.dtype) -> fx.Node:
    """Return a new node that casts a value in front of the first node that reads it so."""
    with graph.inserting_before(node):
        cast = graph.call_function(aten.to.dtype, (source, into))
    cast.meta = {key: value for key, value in node.meta.items() if key != "val"}
    with torch.no_grad():
        cast.meta["val"] = source.meta["val"].to(into)
    return cast


def _casts(node: fx.Node, dtype: torch.dtype) -> Casts:
    """Return what some arguments of a node become under autocast.

    Raises:
        GraphError: casting arguments is not enough to compute the same.
    """
    values = {source: _without_values(source.meta.get("val")) for source in node.all_input_nodes}
    wanted = _steps(node, values, {}, dtype)
    if wanted is None or wanted == _steps(node, values, {}):
        return {}
    fractions = {
        source: value
        for source, value in values.items()
        if isinstance(value, Tensor) and value.is_floating_point()
    }
    own = {
        source: step.into
        for step in wanted
        for source, value in fractions.items()
        if step.into not in (None, value.dtype) and step.read is value
    }
    every: Casts = {source: dtype for source, value in fractions.items() if value.dtype != dtype}
    # an operator that moves its arguments before it casts them may cast them first
    for casts in (own, every):
        if _computing(_steps(node, values, casts)) == _computing(wanted):
            return casts
    raise GraphError(
        f"Under torch.autocast {op_name(node.target)!r} in {where(node)} casts between its own steps; take "
        "it out of autocast to prune channels, weights can be."
    )


def _without_values(recorded: Any) -> Any:
    """Return a tensor without values of the recorded one's size, at the example's batch."""
    if isinstance(recorded, Tensor):
        with _without_memory():
            return torch.empty_strided(
                [_number(size) for size in recorded.shape],
                [_number(step) for step in recorded.stride()],
                dtype=recorded.dtype,
            )
    return _number(recorded) if isinstance(recorded, torch.SymInt) else recorded


def _number(size: Any) -> int:
    return size if isinstance(size, int) else int(size.node.hint)


# ---------------------------------------------------------------- what an operator does


@dataclass(frozen=True, eq=False)
class _Step:
    """One kernel that an operator consists of.

    Args:
        target: the kernel.
        kinds: the types of its tensors.
        read, into: of a cast, the tensor that it reads and the type that this becomes.
    """

    target: Any
    kinds: tuple[torch.dtype, ...]
    read: Any = None
    into: torch.dtype | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Step) and (self.target, self.kinds, self.into) == (
            other.target,
            other.kinds,
            other.into,
        )


class _Listening(TorchDispatchMode):
    """Writes down which kernels run."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[_Step] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.namespace == "prim":  # a question, such as for the device
            return func(*args, **kwargs)
        kinds = tuple(v.dtype for v in tree_leaves((args, kwargs)) if isinstance(v, Tensor))
        cast = (args[0], kwargs.get("dtype")) if func is CAST else ()
        self.steps.append(_Step(func, kinds, *cast))
        return func(*args, **kwargs)


open_guard(_Listening.__torch_dispatch__)


def _steps(
    node: fx.Node, values: Mapping[fx.Node, Any], casts: Casts, dtype: torch.dtype | None = None
) -> list[_Step] | None:
    """Return the kernels that a node runs, with some arguments cast before; None if it does not run.

    Args:
        values: what its arguments are, without memory.
        dtype: of autocast; None = without it.
    """
    listening = _Listening()
    target: Any = node.target
    try:
        with _without_memory(), torch.no_grad(), without_log():
            given = {
                source: value.to(casts[source]) if source in casts else value
                for source, value in values.items()
            }
            args: Any = fx.node.map_arg(node.args, given.__getitem__)
            kwargs: Any = fx.node.map_arg(node.kwargs, given.__getitem__)
            with torch.autocast(DEVICE, dtype or torch.bfloat16, dtype is not None, False), listening:
                target(*args, **kwargs)
    except Exception:  # the types do not go together, or there is nothing to compute with
        return None
    return listening.steps


def _computing(steps: list[_Step] | None) -> list[_Step]:
    """Return the steps that compute something; those that only move numbers or cast them are left out."""
    return [
        step
        for step in steps or ()
        if step.into is None
        and step.target not in MOVES
        and not any(given.alias_info for given in step.target._schema.returns)
    ]
