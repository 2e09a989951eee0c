"""Weights of all layers -> their spread on one scale, before and after a recipe, and the thresholds of the
recipe.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..values.profile import Masks
from .distributions import largest_single

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
READ = 1 << 17  # weights of a layer whose quantiles are taken; if there are more, evenly spaced ones


@dataclass(frozen=True)
class WeightBand:
    """How large one layer's weights are.

    Args:
        weights: how many there are.
        before: magnitudes at QUANTILES of the weights that are not zero; () if all are zero.
        after: the same of those that the recipe leaves; equal to `before` if it removes nothing.
        threshold: the largest magnitude removed as a single weight, or None. Removed channels don't count
            here.
        sparsity: fraction of zeros once the recipe is applied.
        read: number of weights that the quantiles were computed from.
    """

    layer: str
    weights: int
    before: tuple[float, ...]
    after: tuple[float, ...]
    threshold: float | None
    sparsity: float
    read: int


def weight_bands(weights: Mapping[str, Tensor], masks: Masks | None = None) -> tuple[WeightBand, ...]:
    """Return one band per layer, in the order given.

    Args:
        weights: layer -> weight of any shape.
        masks: what is kept; a layer that is missing here is kept whole.
    """
    kept = masks.weights if masks else {}
    return tuple(_band(name, weight.detach(), kept.get(name)) for name, weight in weights.items())


def _band(layer: str, weight: Tensor, mask: Tensor | None) -> WeightBand:
    sample = weight.flatten()[:: max(1, math.ceil(weight.numel() / READ))].abs()
    before = _quantiles(sample)
    if mask is None:
        zeros = weight.numel() - int(torch.count_nonzero(weight))
        return WeightBand(
            layer, weight.numel(), before, before, None, zeros / max(1, weight.numel()), sample.numel()
        )
    left = mask.flatten()[:: max(1, math.ceil(weight.numel() / READ))]
    zeros = weight.numel() - int(torch.count_nonzero(weight * mask))
    threshold = largest_single(weight.abs(), ~mask)
    return WeightBand(
        layer,
        weight.numel(),
        before,
        _quantiles(sample[left]),
        threshold,
        zeros / max(1, weight.numel()),
        sample.numel(),
    )


def _quantiles(magnitudes: Tensor) -> tuple[float, ...]:
    """Return the quantiles by nearest rank, of the values that are not zero."""
    ordered = magnitudes[magnitudes > 0].sort().values
    last = len(ordered) - 1
    return tuple(float(ordered[round(q * last)]) for q in QUANTILES) if last >= 0 else ()
