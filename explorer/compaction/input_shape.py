"""A smaller model holds for inputs of the shape that its graph was read with, and refuses others."""

from functools import partial
from typing import Any

from torch import Tensor, fx, nn

from ..errors import CompactionError


def refuse_other_sizes(module: fx.GraphModule, shape: tuple[int, ...]) -> None:
    """Let a smaller model refuse inputs for which it would answer wrongly.

    Args:
        shape: of one sample.
    """
    module.register_forward_pre_hook(partial(_check, shape))


def _check(shape: tuple[int, ...], module: nn.Module, inputs: tuple[Any, ...]) -> None:
    """
    Raises:
        CompactionError: the text says both shapes.
    """
    if inputs and isinstance(inputs[0], Tensor) and tuple(inputs[0].shape[1:]) != shape:
        raise CompactionError(
            f"This smaller model was made for inputs of shape {shape}, and would answer wrongly for "
            f"{tuple(inputs[0].shape[1:])}; export it, which keeps other sizes open where the model can."
        )
