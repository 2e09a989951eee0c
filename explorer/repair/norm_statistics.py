"""Statistics of batch norms for their current inputs, by comparison with the inputs of the dense model's
norms.

Each mean and variance moves by the difference between the repaired inputs and the dense ones. A norm whose
inputs are unchanged keeps its statistics, and few samples add no scatter of their own.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

LEAST = 1e-12


def is_recalibrated(module: nn.Module) -> bool:
    """Whether it normalises with statistics that it has kept."""
    return isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None


def move_statistics(norm: nn.Module, now: Sequence[Tensor], before: Sequence[Tensor]) -> None:
    """Change the statistics of a norm.

    Args:
        now: its inputs, one per batch, (samples, channels, ...).
        before: the dense one's inputs at the remaining channels.
    """
    mean, variance = moments(now)
    old_mean, old_variance = moments(before)
    running_mean, running_variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    running_mean.add_((mean - old_mean).to(running_mean.dtype))
    share = (variance + LEAST) / (old_variance + LEAST)
    running_variance.mul_(share.to(running_variance.dtype))


def moments(batches: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return (channels,) mean and variance over samples and positions, in float64; batches are added up,
    never joined.
    """
    count, total = 0, torch.zeros((), dtype=torch.double)
    for batch in batches:
        rows = batch.transpose(0, 1).flatten(1)
        count, total = count + rows.shape[1], total.to(rows.device) + rows.sum(1, dtype=torch.double)
    mean = total / count
    squares = torch.zeros_like(mean)
    for batch in batches:
        rows = batch.transpose(0, 1).flatten(1)
        squares += (rows - mean[:, None].to(rows.dtype)).square().sum(1, dtype=torch.double)
    return mean, squares / count
