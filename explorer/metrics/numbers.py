"""Predicted numbers: errors, sample by sample."""

from typing import Any

import torch
from torch import Tensor

from ..errors import ExplorerError
from .checks import refuse, rows


def pair_of(metric: str, outputs: Any, targets: Any) -> tuple[Tensor, Tensor]:
    """Return answers and truths as two (samples, numbers) float64 tensors.

    Raises:
        ExplorerError: their shapes differ, or a target is not a finite number.
    """
    if not isinstance(outputs, Tensor) or outputs.dim() < 1:
        raise refuse(metric, "one tensor of numbers", outputs)
    if not isinstance(targets, Tensor) or targets.shape[:1] != outputs.shape[:1]:
        raise refuse(metric, f"targets of shape {tuple(outputs.shape)}", targets)
    if outputs.is_complex() or targets.is_complex():
        raise ExplorerError(f"Metric {metric!r} needs real numbers, got complex ones; give their real parts.")
    said, truth = (t.detach().double().reshape(len(t), -1) for t in (outputs, targets))
    if said.shape != truth.shape:
        raise refuse(metric, f"targets of shape {tuple(outputs.shape)}", targets)
    if not bool(torch.isfinite(truth).all()):
        raise ExplorerError(
            f"Metric {metric!r} needs finite targets, got NaN or infinite ones; clean the data."
        )
    return said, truth


def errors_of(metric: str, outputs: Any, targets: Any) -> Tensor:
    """Return answer minus truth, (samples, numbers) float64."""
    said, truth = pair_of(metric, outputs, targets)
    return said - truth


def summed(values: Tensor) -> Tensor:
    """Return the sum and the count of (samples, numbers) as (samples, 2)."""
    return rows(values.sum(1), torch.full_like(values[:, 0], values.shape[1]))
