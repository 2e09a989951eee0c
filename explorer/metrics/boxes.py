"""Matches the boxes that a model finds with the true ones: greedily, the most confident first."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..errors import ExplorerError
from .checks import refuse

WIDTHS = {"boxes": 4}
MOST = 100  # boxes of a picture that count, the most confident first
FOUND = (
    "boxes (samples, boxes, 6) of x1, y1, x2, y2, score, label, or a list of dicts with boxes, scores, labels"
)
THERE = (
    "boxes (samples, boxes, 5) of x1, y1, x2, y2, label (-1: none), or a list of dicts with boxes and labels"
)


def found_boxes(metric: str, outputs: Any) -> Tensor:
    """Return (samples, boxes, 6) float64, the most confident first; if a picture has fewer, their label is
    -1.

    Raises:
        ExplorerError: no boxes.
    """
    boxes = _padded(metric, outputs, ("boxes", "scores", "labels"), 6, FOUND)
    order = (
        boxes[..., 4].masked_fill(boxes[..., 5] < 0, -torch.inf).argsort(dim=1, descending=True, stable=True)
    )
    return boxes.gather(1, order[:, :MOST, None].expand(-1, -1, 6))


def true_boxes(metric: str, targets: Any, samples: int) -> Tensor:
    """Return (samples, boxes, 5) float64, label -1 if a picture has fewer.

    Raises:
        ExplorerError: no boxes, of another number of pictures, or with corners in the wrong order.
    """
    boxes = _padded(metric, targets, ("boxes", "labels"), 5, THERE)
    if len(boxes) != samples:
        raise refuse(metric, f"boxes of {samples} pictures", targets)
    real = boxes[boxes[..., 4] >= 0]
    odd = real[(real[:, 2:4] < real[:, :2]).any(1) | ~torch.isfinite(real).all(1)]
    if len(odd):
        box = ", ".join(f"{number:g}" for number in odd[0, :4].tolist())
        raise ExplorerError(
            f"Metric {metric!r} needs boxes as x1, y1, x2, y2 with x1 <= x2 and y1 <= y2, got {box}."
        )
    return boxes


def _padded(metric: str, given: Any, keys: tuple[str, ...], width: int, wanted: str) -> Tensor:
    if isinstance(given, Tensor) and given.dim() == 3 and given.shape[2] == width:
        return given.detach().double()
    if not isinstance(given, list | tuple) or not all(
        isinstance(g, Mapping) and set(keys) <= set(g) for g in given
    ):
        raise refuse(metric, wanted, given)
    rows = [torch.cat([_columns(g, key) for key in keys], 1) for g in given]
    empty = torch.zeros(width, dtype=torch.float64)
    empty[-1] = -1
    most = max((len(row) for row in rows), default=0)
    return torch.stack([torch.cat([row.cpu(), empty.expand(most - len(row), -1)]) for row in rows])


def _columns(one: Mapping, key: str) -> Tensor:
    return torch.as_tensor(one[key]).detach().double().reshape(len(one["boxes"]), WIDTHS.get(key, 1))


def overlap_of(boxes: Tensor, there: Tensor) -> Tensor:
    """Return (n, d, m) intersection over union of (n, d, 4+) and (n, m, 4+) boxes."""
    low = torch.maximum(boxes[:, :, None, :2], there[:, None, :, :2])
    high = torch.minimum(boxes[:, :, None, 2:4], there[:, None, :, 2:4])
    both = (high - low).clamp_min(0).prod(-1)
    one, other = (
        (b[..., 2] - b[..., 0]).clamp_min(0) * (b[..., 3] - b[..., 1]).clamp_min(0) for b in (boxes, there)
    )
    return both / (one[:, :, None] + other[:, None] - both).clamp_min(1e-300)


def hits(boxes: Tensor, there: Tensor, least: float) -> Tensor:
    """Return (n, d) bool: which boxes match a true one that no more confident box took, overlapping by at
    least this.

    Args:
        boxes: (n, d, 6), the most confident first.
        there: (n, m, 5).
    """
    return matched(boxes, there, least)[0]


def matched(boxes: Tensor, there: Tensor, least: float) -> tuple[Tensor, Tensor]:
    """Return (n, d) bool as `hits`, and (n, m) bool: which true boxes are found."""
    if not there.shape[1]:
        return tuple(torch.zeros(b.shape[:2], dtype=torch.bool, device=b.device) for b in (boxes, there))  # type: ignore[return-value]
    fits = (boxes[:, :, None, 5] == there[:, None, :, 4]) & (there[:, None, :, 4] >= 0)
    overlap = torch.where(
        fits, overlap_of(boxes, there), -torch.ones((), dtype=torch.float64, device=boxes.device)
    )
    free = torch.ones(there.shape[:2], dtype=torch.bool, device=boxes.device)
    taken = []
    for place in range(boxes.shape[1]):  # the greedy choice depends on those before it; samples go together
        best, which = overlap[:, place].masked_fill(~free, -1).max(1)
        is_hit = best >= least
        free[torch.arange(len(free), device=free.device)[is_hit], which[is_hit]] = False
        taken.append(is_hit)
    hit = torch.stack(taken, 1) if taken else torch.zeros(boxes.shape[:2], dtype=torch.bool)
    return hit, ~free
