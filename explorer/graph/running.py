"""Runs an exported program on other tensors than its own, on any device."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

from ..values.subject import Subject
from .program import Program, output_of


class GraphRun(fx.Interpreter):
    """An exported program that takes its parameters, buffers and constants by name."""

    def __init__(self, program: Program, device: str):
        super().__init__(nn.Module(), graph=program.graph)
        self.program, self.device = program, torch.device(device)
        self.names = program.tensors

    def logits(self, tensors: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        """Return the first output of the program.

        Args:
            tensors: parameter, buffer or constant -> its replacement.
        """
        return self.outputs(tensors, inputs)[0]

    def outputs(self, tensors: Mapping[str, Tensor], inputs: Tensor) -> list[Any]:
        """Return all outputs of the program; arguments as in `logits`."""
        placeholders = [n for n in self.graph.nodes if n.op == "placeholder"]
        values = self.run(
            *(tensors[self.names[n.name]] if n.name in self.names else inputs for n in placeholders)
        )
        return [value for value, wanted in zip(values, self.program.answers, strict=True) if wanted]

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        # a graph traced on the cpu names that device where it creates tensors
        def here(value):
            return self.device if isinstance(value, torch.device) else value

        return super().call_function(
            target, fx.node.map_aggregate(args, here), fx.node.map_aggregate(kwargs, here)
        )


def tensors_of(subject: Subject, program: Program, device: str) -> dict[str, Tensor]:
    """Return parameter, buffer or constant -> the same values detached, on the device; tied names share one
    tensor.
    """
    own = {
        **dict(subject.model.named_parameters(remove_duplicate=False)),
        **dict(subject.model.named_buffers(remove_duplicate=False)),
    }
    moved: dict[int, Tensor] = {}
    for tensor in [*own.values(), *program.constants.values()]:
        if isinstance(tensor, Tensor) and id(tensor) not in moved:
            moved[id(tensor)] = tensor.detach().to(device)
    everything = {**{name: t for name, t in program.constants.items() if isinstance(t, Tensor)}, **own}
    return {name: moved[id(tensor)] for name, tensor in everything.items()}


def fixed_batch(program: Program) -> int | None:
    """Return the batch size of a program that was exported with a static one."""
    size = output_of(program.given[0]).shape[0]
    return size if isinstance(size, int) else None
