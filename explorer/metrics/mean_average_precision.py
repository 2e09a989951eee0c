"""Boxes: mean average precision, as COCO counts it."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..errors import ExplorerError
from ..registry import METRICS
from ..values.metric import Metric
from .boxes import MOST, found_boxes, hits, true_boxes
from .checks import mean_over_classes, share

LEVELS = torch.linspace(0, 1, 101, dtype=torch.float64)  # of recall, at which precision is read


@METRICS.register("mean_average_precision", rank=13)
def mean_average_precision(*, overlaps: str = "0.5:0.95") -> Metric:
    """Mean over classes and overlaps (IoU 0.5 to 0.95) of the area under the curve of precision over recall,
    as COCO counts it.
    """
    least = _thresholds(overlaps)

    def statistics(outputs: Any, targets: Any) -> Tensor:
        """Return (samples, boxes x (score, label, hits) + labels of the true boxes), padded with label -1."""
        given = found_boxes("mean_average_precision", outputs)
        there = true_boxes("mean_average_precision", targets, len(given)).to(given.device)
        if there.shape[1] > MOST:
            raise ExplorerError(f"Metric 'mean_average_precision' takes up to {MOST} boxes per picture.")
        hit = torch.stack([hits(given, there, value) for value in least], 2).double()
        boxes = pad(torch.cat([given[..., 4:6], hit], 2), (0, 0, 0, MOST - given.shape[1]), value=-1.0)
        return torch.cat([boxes.flatten(1), pad(there[..., 4], (0, MOST - there.shape[1]), value=-1.0)], 1)

    def value(rows: Tensor, weights: Tensor) -> Tensor:
        boxes = rows[:, : MOST * (2 + len(least))].reshape(len(rows), MOST, -1)
        labels = rows[:, MOST * (2 + len(least)) :]
        classes = labels[labels >= 0].unique()
        if not len(classes):
            return torch.zeros(len(weights), dtype=torch.float64)
        samples = torch.arange(len(rows))[:, None].expand(-1, MOST)
        parts, is_there = [], []
        for number in classes:
            mine = boxes[..., 1] == number
            order = boxes[mine][:, 0].argsort(descending=True, stable=True)
            each = weights[:, samples[mine][order]]  # (r, boxes), how often each counts
            truths = weights @ (labels == number).sum(1).double()
            hit = boxes[mine][order][:, 2:]
            parts.append(torch.stack([_area(each, hit[:, k], truths) for k in range(len(least))], 1).mean(1))
            is_there.append((truths > 0).double())
        return mean_over_classes(torch.stack(parts, 1), torch.stack(is_there, 1))

    title = "mean average precision" + ("" if len(least) > 1 else f" at IoU {least[0]:g}")
    return Metric("mean_average_precision", title, statistics, value, unit="%", of_rows=True)


def _thresholds(text: str) -> list[float]:
    """Return the thresholds in a text.

    >>> _thresholds("0.5"), len(_thresholds("0.5:0.95"))
    ([0.5], 10)
    """
    first, _, last = text.partition(":")
    try:
        low, high = float(first), float(last or first)
    except ValueError:
        low = high = 0.0
    if not 0 < low <= high < 1:
        raise ExplorerError(f"Option 'overlaps' must be such as 0.5 or 0.5:0.95, got {text[:40]!r}.")
    return [low + 0.05 * k for k in range(round((high - low) / 0.05) + 1)]


def _area(each: Tensor, hit: Tensor, truths: Tensor) -> Tensor:
    """Return (r,) mean of 101 precisions from (r, boxes) weights and (boxes,) hits, the most confident
    first.
    """
    right, said = (each * hit).cumsum(1), each.cumsum(1)
    precision = share(right, said).flip(1).cummax(1).values.flip(1) if each.shape[1] else right
    recall = share(right, truths[:, None].expand_as(right)) if each.shape[1] else right
    place = torch.searchsorted(recall.contiguous(), LEVELS.expand(len(each), -1).contiguous() - 1e-12)
    padded = pad(precision, (0, 1))  # beyond the last recall, precision is 0
    return padded.gather(1, place).mean(1)
