"""The dense graph run node by node in float64. A tensor is widened when it is first read, and freed after its
last reader.
"""

from collections.abc import Callable, Generator, Mapping
from typing import Any

import torch
from torch import Tensor, fx

from ..values.progress import Progress
from .random_draws import Replay, is_random

Call = Callable[[fx.Node, Any, Any], Any]


def tensor_names(program: torch.export.ExportedProgram) -> dict[str, str]:
    """Placeholder -> parameter, buffer or constant."""
    signature = program.graph_signature
    return {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }


def walk(
    program: torch.export.ExportedProgram,
    read: Callable[[str], Tensor],
    call: Call,
    inputs: Tensor,
    label: str,
) -> Generator[Progress, None, Any]:
    """Progress after each node; returns the outputs.

    Args:
        read: name of a tensor -> its value, made anew each time.
        call: (node, arguments, keywords) -> the node's value.
    """
    names, nodes = tensor_names(program), list(program.graph.nodes)
    readers = {node.name: len(node.users) for node in nodes}
    values: dict[str, Any] = {}
    for done, node in enumerate(nodes):
        if node.op == "placeholder":
            if node.name not in names:
                values[node.name] = inputs
            continue
        for source in node.all_input_nodes:
            if source.name in names and source.name not in values:
                values[source.name] = widened(read(names[source.name]))

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
        yield Progress(done, len(nodes), label)
    raise AssertionError("The exported graph has no output.")


def tensor_of(program: torch.export.ExportedProgram, state: Mapping[str, Tensor], name: str) -> Tensor:
    """A tensor of the state, or a constant of the graph."""
    return state[name] if name in state else program.constants[name]


def widened(value: Any) -> Any:
    """float64, if it is a tensor of fractions: a division of whole numbers gives float32 wherever
    it stands.
    """
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


def double_dtype(item: Any) -> Any:
    """A graph's literal float32 becomes float64 too."""
    return torch.float64 if item is torch.float32 else item


class WideRun(fx.Interpreter):
    """A model of float64 parameters, run by its graph: what its operators make of literals is widened too.

    Args:
        replay: the random numbers that it draws.
    """

    def __init__(self, module: fx.GraphModule, replay: Replay):
        super().__init__(module)
        self.replay = replay

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        args, kwargs = (fx.node.map_aggregate(item, double_dtype) for item in (args, kwargs))
        if is_random(target):
            return widened(self.replay.call(target, args, kwargs))
        return widened(super().call_function(target, args, kwargs))
