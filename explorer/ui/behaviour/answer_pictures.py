"""Draws what two models answer to a sample: the truth, before and after, side by side."""

import torch
from torch import Tensor
from torch.nn import functional

from ...studies.shown_answers import ShownAnswer
from ..drawing.png import SIDE, pixels_of

# after Okabe and Ito (2008), as in the figures; class 0 is mostly the background, and is not coloured
COLOURS = ((213, 94, 0), (47, 134, 201), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233))
COVER, GAP = 0.55, 4  # share of a mask's colour; pixels between two pictures
SHOWN_NUMBERS = 4


def three_pictures(sample: Tensor, scale: float, answer: ShownAnswer) -> Tensor:
    """Return the truth, the dense and the pruned model's answer over the same picture.

    Args:
        sample: (1 or 3, height, width), as it is stored.
        scale: from stored values to 0..1.
    Returns: (height, 3 widths and gaps, 3) uint8.
    """
    pixels = pixels_of(sample, scale)
    pixels = pixels[..., None].expand(-1, -1, 3) if pixels.dim() == 2 else pixels
    larger = max(1, SIDE // max(pixels.shape[:2]))
    pixels = pixels.repeat_interleave(larger, 0).repeat_interleave(larger, 1)
    draw = over_mask if answer.kind == "mask" else over_boxes
    shape = sample.shape[1], sample.shape[2]
    drawn = [draw(pixels, one, shape) for one in (answer.truth, answer.before, answer.after)]
    gap = torch.full((len(pixels), GAP, 3), 255, dtype=torch.uint8)
    return torch.cat([drawn[0], gap, drawn[1], gap, drawn[2]], 1)


def over_mask(pixels: Tensor, mask: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return (height, width, 3) pixels, coloured by the class that a mask gives each."""
    resized = functional.interpolate(mask[None, None].float(), pixels.shape[:2], mode="nearest")[0, 0].long()
    colours = torch.tensor(COLOURS)[(resized - 1).clamp_min(0) % len(COLOURS)]
    covered = (pixels * (1 - COVER) + colours * COVER).round().to(torch.uint8)
    is_class = (resized > 0) & (resized != 255)
    return torch.where(is_class[..., None], covered, pixels)


def over_boxes(pixels: Tensor, boxes: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return (height, width, 3) pixels with the outlines of boxes, coloured by their labels.

    Args:
        shape: height and width of the picture in whose pixels boxes are.
    """
    drawn = pixels.clone()
    height, width = drawn.shape[:2]
    for x1, y1, x2, y2, label in boxes.tolist():
        left, right = (min(width - 1, max(0, round(x * width / shape[1]))) for x in (x1, x2))
        top, bottom = (min(height - 1, max(0, round(y * height / shape[0]))) for y in (y1, y2))
        colour = torch.tensor(COLOURS[int(label) % len(COLOURS)], dtype=torch.uint8)
        drawn[top, left : right + 1], drawn[bottom, left : right + 1] = colour, colour
        drawn[top : bottom + 1, left], drawn[top : bottom + 1, right] = colour, colour
    return drawn


def number_lines(answer: ShownAnswer) -> tuple[str, ...]:
    """Return the truth and both answers in words, the first few numbers of each."""
    parts = {"truth": answer.truth, "before": answer.before, "now": answer.after}
    return tuple(f"{name}: {_listed(values)}" for name, values in parts.items())


def _listed(values: Tensor) -> str:
    more = " …" if len(values) > SHOWN_NUMBERS else ""
    return ", ".join(f"{value:.4g}" for value in values[:SHOWN_NUMBERS].tolist()) + more
