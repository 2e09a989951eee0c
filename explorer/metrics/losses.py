"""The losses that training and gradients lower if a task has no loss of its own; each is the mean over a
batch.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import ExplorerError
from ..machine.foreign_code import description
from ..registry import METRICS
from ..values.subject import Task
from .checks import IGNORED

ROWS = 64  # of scores that are read at once on a CPU
Loss = Callable[[Any, Any], Tensor]


def cross_entropy(outputs: Any, targets: Any) -> Tensor:
    """Return the loss of (n, classes, ...) scores and (n, ...) classes; with one score per place, yes or
    no.
    """
    if isinstance(outputs, dict) and "out" in outputs:
        outputs = outputs["out"]
    outputs = outputs.float()
    if outputs.shape[1] == 1 and outputs.dim() > 2:
        return binary_cross_entropy(outputs, targets)
    if targets.dim() == outputs.dim():
        targets = targets[:, 0]
    skipped = (targets == 255) & (outputs.shape[1] <= 255)
    return functional.cross_entropy(outputs, torch.where(skipped, -100, targets).long())


def token_cross_entropy(outputs: Any, targets: Any) -> Tensor:
    """Return the loss of (n, tokens, vocabulary) scores and (n, tokens)."""
    outputs = getattr(outputs, "logits", outputs)
    targets = targets[0] if isinstance(targets, tuple | list) else targets
    scores, tokens = outputs.float().flatten(0, 1), targets.flatten()
    if torch.is_grad_enabled() or scores.device.type != "cpu":
        return functional.cross_entropy(scores, tokens)
    # the same mean of the same numbers, without a second table of scores in memory
    own = losses(scores, tokens, torch.float32)
    return functional.nll_loss(-own[:, None], torch.where(tokens == IGNORED, IGNORED, 0))


def losses(scores: Tensor, classes: Tensor, dtype: torch.dtype) -> Tensor:
    """Return (n,) the cross-entropy of each of (n, classes) scores, 0 where it is ignored.

    On a CPU, few rows are converted at a time: they stay in its cache, which takes a third of the time, and
    each row's number is the same.
    """
    rows = ROWS if scores.device.type == "cpu" else max(1, len(scores))
    parts = zip(scores.split(rows), classes.split(rows), strict=True)
    return torch.cat(
        [functional.cross_entropy(s.to(dtype), c, reduction="none", ignore_index=IGNORED) for s, c in parts]
    )


def binary_cross_entropy(outputs: Any, targets: Any) -> Tensor:
    """Return the loss of scores and as many targets of 0 and 1."""
    return functional.binary_cross_entropy_with_logits(
        outputs.float(), targets.reshape(outputs.shape).float()
    )


def absolute_error(outputs: Any, targets: Any) -> Tensor:
    return functional.l1_loss(outputs.float(), targets.reshape(outputs.shape).float())


def squared_error(outputs: Any, targets: Any) -> Tensor:
    return functional.mse_loss(outputs.float(), targets.reshape(outputs.shape).float())


def loss_of(task: Task) -> Loss:
    """Return the loss that training and gradients of a task lower: its own, or else the usual one of its
    metric.

    Raises:
        ExplorerError: there is neither.
    """
    first = task.metrics[0]
    metric = METRICS[first]() if isinstance(first, str) else first
    loss = task.loss or (metric.loss if task.scores is None else None)
    if loss is None:
        raise ExplorerError(
            f"Task {task.name!r} has no loss, which training and gradients need; give it loss=..., a "
            "function of (outputs, targets)."
        )
    if task.loss is not None:
        return lambda outputs, targets: mean_of(loss, outputs, targets)
    read = task.scores_of if metric.of_scores else (task.answer or (lambda outputs: outputs))
    return lambda outputs, targets: mean_of(loss, read(outputs), targets)


def right_share(outputs: Any, targets: Any) -> float | None:
    """Return the share of right classes of samples, pixels or tokens; None if outputs are not classes."""
    if isinstance(targets, tuple) and isinstance(outputs, Tensor) and outputs.dim() == 3:
        outputs, targets = outputs.flatten(0, 1), targets[0].flatten()  # the other part: bytes of each sample
    if not isinstance(outputs, Tensor) or not isinstance(targets, Tensor) or outputs.dim() < 2:
        return None
    said = outputs.argmax(1)
    return float((said == targets).float().mean()) if said.shape == targets.shape else None


def mean_of(loss: Loss, outputs: Any, targets: Any) -> Tensor:
    """Return the loss of a batch, a single number.

    Raises:
        ExplorerError: the loss fails, or returns anything else.
    """
    try:
        mean = loss(outputs, targets)
    except Exception as error:  # the border of the user's code
        raise ExplorerError(f"The loss of the task fails ({description(error)}).") from error
    if not isinstance(mean, Tensor) or mean.numel() != 1:
        got = f"shape {tuple(mean.shape)}" if isinstance(mean, Tensor) else type(mean).__name__
        raise ExplorerError(f"The loss of the task must give one number, the mean over the batch, got {got}.")
    return mean.reshape(())
