"""Makes a smaller model refuse inputs of other shapes than the one its graph was traced with."""

from functools import partial
from typing import Any

from torch import Tensor, fx, nn

from ..errors import CompactionError


def refuse_other_sizes(module: fx.GraphModule, shape: tuple[int, ...]) -> None:
    """Make a smaller model refuse inputs for which its outputs would be wrong.

    Args:
        shape: of one sample.
    """
    module.register_forward_pre_hook(partial(_check, shape))


def _check(shape: tuple[int, ...], module: nn.Module, inputs: tuple[Any, ...]) -> None:
    """Check the shape of the inputs.

    Raises:
        CompactionError: the message gives both shapes.
    """
    if inputs and isinstance(inputs[0], Tensor) and tuple(inputs[0].shape[1:]) != shape:
        raise CompactionError(
            f"This smaller model was made for inputs of shape {shape}, and would answer wrongly for "
            f"{tuple(inputs[0].shape[1:])}; export it, which keeps other sizes open where the model can."
        )
