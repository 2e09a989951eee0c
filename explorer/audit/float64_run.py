"""Runs the dense graph node by node in float64. A tensor is widened when it is first read, and freed after
its last reader.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

from ..graph.program import Program
from ..values.progress import Returning, reached
from .awake import called
from .random_draws import Draws, drawing

Call = Callable[[fx.Node, Any, Any], Any]


def walk(
    program: Program,
    read: Callable[[str], Tensor],
    call: Call,
    inputs: Tensor,
    label: str,
) -> Returning[Any]:
    """Yield Progress after each node; return the outputs.

    Args:
        read: name of a tensor -> its value, computed again each time.
        call: (node, arguments, keywords) -> the node's value.
    """
    names, nodes = program.tensors, list(program.graph.nodes)
    readers = {node.name: len(node.users) for node in nodes}
    values: dict[str, Any] = {}
    for done, node in enumerate(nodes):
        if node.op == "placeholder":
            if node.name not in names:
                values[node.name] = inputs
            continue
        for source in node.all_input_nodes:
            if source.name in names and source.name not in values:
                values[source.name] = _own(read(names[source.name]))

        def look_up(item):
            return fx.node.map_arg(item, lambda n: values[n.name])

        if node.op == "output":
            return look_up(node.args[0])
        with torch.no_grad():  # never over a yield: another job may run there
            args, kwargs = (
                fx.node.map_aggregate(look_up(item), double_dtype) for item in (node.args, node.kwargs)
            )
            values[node.name] = widened(call(node, args, kwargs))
        del args, kwargs
        for source in node.all_input_nodes:
            readers[source.name] -= 1
            if not readers[source.name]:
                del values[source.name]
        yield reached(done, len(nodes), label)
    raise AssertionError("The exported graph has no output.")


def tensor_of(program: Program, state: Mapping[str, Tensor], name: str) -> Tensor:
    """Return a tensor of the state, or a constant of the graph."""
    return state[name] if name in state else program.constants[name]


def _own(tensor: Tensor) -> Tensor:
    """Return it widened, in its own memory, since an operator may write into it."""
    wide = widened(tensor)
    return tensor.clone() if wide is tensor else wide


def widened(value: Any) -> Any:
    """Return float64 if it is a tensor of fractions: a division of whole numbers gives float32 on any device.
    Complex numbers become pairs of float64.
    """
    if not isinstance(value, Tensor):
        return value
    return value.double() if value.is_floating_point() else value.to(WIDE.get(value.dtype, value.dtype))


FRACTIONS = dict.fromkeys((torch.float32, torch.float16, torch.bfloat16), torch.float64)
WIDE = FRACTIONS | dict.fromkeys((torch.complex64, torch.complex32), torch.complex128)


def double_dtype(item: Any) -> Any:
    """Replace a literal float32 of a graph by float64, and complex types accordingly.

    This includes a short type that a model casts to: rounding would hide whether the wiring is correct.
    """
    return WIDE.get(item, item) if isinstance(item, torch.dtype) else item


class WideRun(fx.Interpreter):
    """Runs the graph of a model in float64. A tensor is widened when a node reads it, and freed after it, so
    the model is never in memory in this width. Results from literals are widened too.

    Args:
        draws: the random numbers that the masked model drew.
        awake: as in `called`.
    """

    def __init__(self, model: fx.GraphModule, draws: Draws, awake: bool):
        super().__init__(model)
        self._draws, self._drawing, self._awake = draws, drawing(model.graph.nodes), awake

    def run_node(self, n: fx.Node) -> Any:
        if n.op == "get_attr":
            found = super().run_node(n)
            # an operator may write into a buffer; the next run reads it as it was
            return widened(found) if isinstance(found, nn.Parameter) else _own(found)
        if n.op == "call_module":
            given, _ = self.fetch_args_kwargs_from_env(n)
            module = self.module.get_submodule(str(n.target))
            tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
            wide = {name: own for name, tensor in tensors.items() if (own := widened(tensor)) is not tensor}
            return torch.func.functional_call(module, wide, given) if wide else module(*given)
        if n.op != "call_function":
            return super().run_node(n)
        args, kwargs = (
            fx.node.map_aggregate(item, double_dtype) for item in self.fetch_args_kwargs_from_env(n)
        )
        if n in self._drawing:
            return widened(self._draws.replay(self._drawing[n], n.target, args, kwargs))
        return widened(called(n, args, kwargs, self._awake))
