"""Light changes to training samples that don't change the class, drawn separately for each sample."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor


def shift(inputs: Tensor, generator: Generator) -> Tensor:
    """Move each picture (n, channels, height, width) by up to an eighth of its sides; the border's pixels are
    repeated.
    """
    n, _, height, width = inputs.shape
    rows, columns = (_moved(side, n, generator) for side in (height, width))
    samples = torch.arange(n)[:, None, None]
    return inputs.permute(0, 2, 3, 1)[samples, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _moved(side: int, n: int, generator: Generator) -> Tensor:
    """Return source positions along a side, (n, side)."""
    reach = side // 8
    offsets = torch.randint(-reach, reach + 1, (n, 1), generator=generator)
    return (torch.arange(side) + offsets).clamp(0, side - 1)


def turn(inputs: Tensor, generator: Generator) -> Tensor:
    """Mirror each square picture (n, channels, side, side) left-right, top-bottom and along its diagonal, or
    not.
    """
    left_right, top_bottom, diagonal = (
        torch.rand(3, len(inputs), 1, 1, 1, generator=generator) < 0.5
    ).unbind(0)
    inputs = torch.where(left_right, inputs.flip(3), inputs)
    inputs = torch.where(top_bottom, inputs.flip(2), inputs)
    return torch.where(diagonal, inputs.transpose(2, 3), inputs)


AUGMENTATIONS: dict[str, Callable[[Tensor, Generator], Tensor]] = {
    "none": lambda inputs, generator: inputs,
    "shift": shift,
    "turn_shift": lambda inputs, generator: shift(turn(inputs, generator), generator),
}
