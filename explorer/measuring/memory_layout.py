"""The memory layout of a model's pictures: channels_last, which convolutions prefer, unless its code may need
another.
"""

from typing import Any

import torch
from torch import Tensor, nn


def laid_out(model: nn.Module, device: str | torch.device) -> nn.Module:
    """Move the model to the device, in channels_last if it reads pictures; changes the given model.

    nn.Module.to refuses the format if another tensor has five dimensions, so only those with four get it.
    """
    model = model.to(device)
    pictures = not is_usual(model) and any(p.dim() == 4 for p in model.parameters())
    return model._apply(_last) if pictures else model


def _last(tensor: Tensor) -> Tensor:
    # not `contiguous`, which does not change the strides of a weight with one input channel, or of one pixel:
    # convolutions then use another algorithm, and losses differ in their last digits
    return tensor.to(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor


def in_usual_order(model: nn.Module) -> nn.Module:
    """Make a model get every picture in the usual layout; changes the given model, and copies of it keep
    that.

    Code that could not be read as a graph may flatten a picture with `view`, which fails in channels_last.
    """
    if not is_usual(model):
        model.register_forward_pre_hook(_straighten)
    return model


def is_usual(model: nn.Module) -> bool:
    """Whether the model was passed to `in_usual_order`, or is a copy of one that was."""
    return _straighten in model._forward_pre_hooks.values()


def _straighten(model: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value.contiguous() if isinstance(value, Tensor) else value for value in inputs)
