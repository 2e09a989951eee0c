"""Boxes: F1."""

from typing import Any

from torch import Tensor

from ..registry import METRICS
from ..values.metric import Metric
from .boxes import found_boxes, hits, true_boxes
from .checks import f1_of, rows


@METRICS.register("detection_f1", rank=12)
def detection_f1(*, overlap: float = 0.5, score: float = 0.5) -> Metric:
    """F1 of boxes: one is found if it has the right label, a score of at least 0.5, and overlaps by at least
    half (IoU).
    """

    def statistics(outputs: Any, targets: Any) -> Tensor:
        found = found_boxes("detection_f1", outputs)
        there = true_boxes("detection_f1", targets, len(found)).to(found.device)
        sure = (found[..., 4] >= score) & (found[..., 5] >= 0)
        found[..., 5] = found[..., 5].masked_fill(~sure, -1)
        hit = hits(found, there, overlap).sum(1)
        return rows(hit, sure.sum(1) - hit, (there[..., 4] >= 0).sum(1) - hit)

    return Metric("detection_f1", f"detection F1 at IoU {overlap:g}", statistics, _value, unit="%")


def _value(sums: Tensor) -> Tensor:
    return f1_of(sums[..., 0], sums[..., 1], sums[..., 2])
