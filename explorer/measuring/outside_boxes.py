"""Detects true boxes that lie outside their pictures: then they are in another unit, or damaged."""

import weakref
from typing import Any

import torch
from torch import Tensor

from ..metrics.boxes import true_boxes
from ..values.samples import Split

METRICS_OF_BOXES = ("detection_f1", "mean_average_precision")
LOOKED_AT = 256  # samples: a wrong unit shows in the first ones
_known: "weakref.WeakKeyDictionary[Split, str | None]" = weakref.WeakKeyDictionary()


def outside_boxes(metric: str, split: Split) -> str | None:
    """Return a warning if a true box has no part inside its picture.

    Args:
        metric: of boxes, that has read all targets already.
        split: its first samples are looked at, once; inputs other than pictures say nothing.
    """
    if split not in _known:
        _known[split] = _looked_at(metric, split)
    return _known[split]


def _looked_at(metric: str, split: Split) -> str | None:
    samples = min(LOOKED_AT, len(split))
    pictures: Any = split.inputs_at(0, samples)
    if not isinstance(pictures, Tensor) or pictures.dim() != 4:
        return None
    boxes = true_boxes(metric, split.targets_at(0, samples), samples)
    high, wide = pictures.shape[2:]
    size = torch.tensor([wide, high], dtype=boxes.dtype)
    is_there = boxes[..., 4] >= 0
    is_outside = is_there & ((boxes[..., :2] >= size) | (boxes[..., 2:4] <= 0)).any(-1)
    if not is_outside.any():
        return None
    box = ", ".join(f"{number:g}" for number in boxes[is_outside][0, :4].tolist())
    return (
        f"{int(is_outside.sum()):,} of {int(is_there.sum()):,} true boxes of the first {samples:,} samples "
        f"lie outside their pictures of {wide} x {high} pixels, such as {box}; correct them, unless the "
        "model finds boxes in another unit, too."
    )
