"""What anybody would write to measure a model once: forward passes, the metric and the loss in plain torch.

Nothing but the two numbers that a Report shows, in float32, summed over batches: no interval, no rows by
sample. Decoding a detector's outputs is the model's own function in both.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ..errors import UnknownNameError
from ..measuring.judging import names_of
from ..metrics.checks import IGNORED
from ..values.subject import Task

Numbers = tuple[float, float]  # value of the metric, mean loss
Sums = Callable[[Task, Any, Any], Tensor]  # (task, outputs, targets) -> (k,) sums of a batch, the last: loss
BOXES_OVERLAP = SURE = 0.5


def bare_loop(task: Task, model: nn.Module, inputs: Tensor, targets: Any, batch: int) -> Numbers:
    """Return the metric's value and the mean loss.

    Args:
        inputs: all samples as the model reads them.
        targets: of these, a tensor or a tuple of them.
    Raises:
        UnknownNameError: there is no plain loop for this metric.
    """
    name = names_of(task)[0]
    if name not in LOOPS:
        raise UnknownNameError("metric with a plain loop", name, LOOPS)
    of_batch, value = LOOPS[name]
    total = torch.zeros((), dtype=torch.float64)
    with torch.inference_mode():
        for start in range(0, len(inputs), batch):
            part = slice(start, start + batch)
            there = tuple(t[part] for t in targets) if isinstance(targets, tuple) else targets[part]
            total = total + of_batch(task, model(inputs[part]), there).double()
    return float(value(total[:-1])), float(total[-1]) / len(inputs)


def _classes(task: Task, outputs: Tensor, targets: Tensor) -> Tensor:
    right = (outputs.argmax(1) == targets).sum()
    loss = cross_entropy(outputs, targets, reduction="sum")
    return torch.stack([right, torch.tensor(len(targets)), loss])


def _masks(task: Task, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the table of truths and answers, flat."""
    classes = outputs.shape[1]
    targets = targets.long()
    table = torch.bincount((targets * classes + outputs.argmax(1)).flatten(), minlength=classes**2)
    return torch.cat([table, cross_entropy(outputs, targets)[None] * len(targets)])


def _mean_iou(table: Tensor) -> Tensor:
    table = table.view(round(len(table) ** 0.5), -1)
    both = table.diagonal()
    union = table.sum(0) + table.sum(1) - both
    return (both[union > 0] / union[union > 0]).mean()


def _boxes(task: Task, outputs: Any, targets: Tensor) -> Tensor:
    """Return boxes that were found, all that were shown, and all that are there."""
    assert task.answer is not None and task.loss is not None
    shown = task.answer(outputs)
    sure, real = (shown[..., 4] >= SURE) & (shown[..., 5] >= 0), targets[..., 4] >= 0
    low = torch.maximum(shown[:, :, None, :2], targets[:, None, :, :2])
    high = torch.minimum(shown[:, :, None, 2:4], targets[:, None, :, 2:4])
    both = (high - low).clamp_min(0).prod(-1)
    areas = [(b[..., 2:4] - b[..., :2]).clamp_min(0).prod(-1) for b in (shown, targets)]
    overlap = both / (areas[0][:, :, None] + areas[1][:, None] - both)
    fits = (shown[:, :, None, 5] == targets[:, None, :, 4]) & sure[:, :, None] & real[:, None]
    overlap = torch.where(fits, overlap, 0)
    hits, free = torch.zeros((), dtype=torch.long), real.clone()
    for place in range(shown.shape[1]):  # the surest first
        best, which = (overlap[:, place] * free).max(1)
        hit = best >= BOXES_OVERLAP
        free[hit.nonzero()[:, 0], which[hit]] = False
        hits = hits + hit.sum()
    return torch.stack([hits, sure.sum(), real.sum(), task.loss(outputs, targets) * len(targets)])


def _texts(task: Task, outputs: Tensor, targets: tuple[Tensor, Tensor]) -> Tensor:
    """Return nats and tokens; further right tokens and bytes, which the task's other metrics read."""
    tokens, sizes = targets
    nats = cross_entropy(outputs.flatten(0, 1), tokens.flatten(), reduction="sum")
    right = (outputs.argmax(2) == tokens).sum()
    count = (tokens != IGNORED).sum()
    return torch.stack([nats, count, right, sizes.sum(), nats / count * len(tokens)])


LOOPS: dict[str, tuple[Sums, Callable[[Tensor], Tensor]]] = {
    "accuracy": (_classes, lambda sums: sums[0] / sums[1]),
    "mean_iou": (_masks, _mean_iou),
    "detection_f1": (_boxes, lambda sums: 2 * sums[0] / (sums[1] + sums[2])),
    "perplexity": (_texts, lambda sums: (sums[0] / sums[1]).exp()),
}
