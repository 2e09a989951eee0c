"""Light changes to training samples that don't change the class, drawn separately for each sample; masks move
with their pictures.
"""

from collections.abc import Callable
from typing import Any

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


def augmented(name: str, inputs: Tensor, targets: Any, generator: Generator) -> tuple[Tensor, Any]:
    """Change a batch by an augmentation, and its targets along with the pictures.

    A class of a picture stays as it is, and a mask moves with its picture. All other targets, such as boxes
    or numbers, may depend on where things are, so these batches are not changed.

    Args:
        name: of AUGMENTATIONS.
        inputs: (n, channels, height, width) pictures, or anything else with "none".
        targets: (n,) classes, (n, height, width) masks, or others.
    """
    change = AUGMENTATIONS[name]
    if name == "none" or not isinstance(targets, Tensor):
        return inputs, targets
    if targets.dim() == 1 and not targets.is_floating_point():
        return change(inputs, generator), targets
    masks = targets[:, None] if targets.dim() == 3 else targets
    if masks.dim() != 4 or inputs.dim() != 4 or masks.shape[2:] != inputs.shape[2:]:
        return inputs, targets
    together = change(torch.cat([inputs, masks.to(inputs.dtype)], 1), generator)
    pictures, moved = together.split([inputs.shape[1], masks.shape[1]], 1)
    return pictures, moved.to(targets.dtype).reshape(targets.shape)
