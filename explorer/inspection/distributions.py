"""Turns weights and scores into the small values that figures draw: bins, quantiles and block averages, never
raw weights.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from ..values.profile import Masks, Scores

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
DECADES = 5.0  # width of the logarithmic scale; smaller values fall into the first bin
CHUNK = 1 << 22  # values counted at once: histc counts in float32, which is exact up to 2^24


@dataclass(frozen=True)
class LayerHistogram:
    """Magnitudes of one layer's weights on the scale of its WeightHistogram.

    Args:
        weights: how many there are. zeros: how many are already zero before any mask; they are in no bin.
        counts: weights per bin, removed ones included. removed_counts: those that the mask removes.
        quantiles: of the non-zero magnitudes at QUANTILES, nearest rank; empty if there are none.
        threshold: largest magnitude that was removed as a single weight, or None. Removed channels don't
            count here.
        sparsity: fraction of zeros once the mask is applied.
    """

    layer: str
    weights: int
    zeros: int
    counts: tuple[int, ...]
    removed_counts: tuple[int, ...]
    quantiles: tuple[float, ...]
    threshold: float | None
    sparsity: float


@dataclass(frozen=True)
class WeightHistogram:
    """All layers on one scale of |w|.

    Args:
        edges: (bins + 1,) increasing magnitudes; the first bin also counts smaller values.
        scale: how the edges are spaced, linear or log.
    """

    edges: tuple[float, ...]
    scale: Literal["linear", "log"]
    layers: tuple[LayerHistogram, ...]

    def only(self, layer: str) -> "WeightHistogram":
        """Return the same scale with one layer, or with none if there is no such layer."""
        return WeightHistogram(
            self.edges, self.scale, tuple(found for found in self.layers if found.layer == layer)
        )


def weight_histogram(
    weights: Mapping[str, Tensor],
    bins: int = 80,
    masks: Masks | None = None,
    *,
    scale: Literal["linear", "log"] = "linear",
) -> WeightHistogram:
    """Count magnitudes per layer in bins that are the same for all layers.

    Args:
        weights: layer -> weight of any shape.
        masks: a layer that is missing here is kept whole.
    """
    magnitudes = {name: weight.detach().abs() for name, weight in weights.items()}
    top = (
        max((float(magnitude.max()) for magnitude in magnitudes.values() if magnitude.numel()), default=0.0)
        or 1.0
    )
    low = math.log10(top) - DECADES if scale == "log" else 0.0
    high = math.log10(top) if scale == "log" else top
    steps = torch.linspace(low, high, bins + 1, dtype=torch.float64)
    edges = 10**steps if scale == "log" else steps
    removed = {name: ~mask for name, mask in masks.weights.items()} if masks else {}
    layers = tuple(
        _layer(name, found, removed.get(name), (low, high, bins), scale) for name, found in magnitudes.items()
    )
    return WeightHistogram(tuple(edges.tolist()), scale, layers)


def _layer(
    name: str, magnitude: Tensor, removed: Tensor | None, grid: tuple[float, float, int], scale: str
) -> LayerHistogram:
    nonzero = magnitude[magnitude > 0]
    gone = magnitude[:0] if removed is None else magnitude[removed & (magnitude > 0)]
    zeros = magnitude.numel() - nonzero.numel()
    return LayerHistogram(
        name,
        magnitude.numel(),
        zeros,
        _count(nonzero, grid, scale),
        _count(gone, grid, scale),
        _quantiles(nonzero),
        None if removed is None else largest_single(magnitude, removed),
        (zeros + gone.numel()) / max(1, magnitude.numel()),
    )


def _count(values: Tensor, grid: tuple[float, float, int], scale: str) -> tuple[int, ...]:
    low, high, bins = grid
    counts = torch.zeros(bins, dtype=torch.int64)
    for chunk in values.flatten().split(CHUNK):
        place = chunk.float().log10() if scale == "log" else chunk.float()
        counts += torch.histc(place.clamp(low, high), bins, low, high).long().cpu()
    return tuple(counts.tolist())


def _quantiles(values: Tensor) -> tuple[float, ...]:
    flat = values.flatten()
    if not flat.numel():
        return ()
    return tuple(float(flat.kthvalue(1 + round(q * (flat.numel() - 1))).values) for q in QUANTILES)


def largest_single(magnitude: Tensor, removed: Tensor) -> float | None:
    """Return the largest magnitude that is removed as a single weight, not along with a whole row or
    column.
    """
    single = removed.clone()
    for dim in range(
        min(2, removed.dim())
    ):  # a whole row or column is a removed channel, whatever its weights
        whole = removed.movedim(dim, 0).flatten(1).all(1) if removed.dim() > 1 else torch.zeros_like(removed)
        single &= ~whole.view([-1 if d == dim else 1 for d in range(removed.dim())])
    return float(magnitude[single].max()) if bool(single.any()) else None


# --------------------------------------------------------------------------- channels


@dataclass(frozen=True)
class GroupImportance:
    """The units of one coupled group from the most to the least important.

    Args:
        units: their numbers in that order. values: their saliency. kept: whether they are kept.
    """

    group: str
    units: tuple[int, ...]
    values: tuple[float, ...]
    kept: tuple[bool, ...]


def channel_importance(scores: Scores, masks: Mapping[str, Tensor]) -> tuple[GroupImportance, ...]:
    """Sort the units of each group; of equal values the later unit comes first, since the earlier one is
    removed first.

    Args:
        scores: group -> (units,). masks: group -> (units,) bool; a group that is missing here is kept whole.
    """
    return tuple(_group(name, values, masks.get(name)) for name, values in scores.items())


def _group(name: str, values: Tensor, mask: Tensor | None) -> GroupImportance:
    order = torch.argsort(values, stable=True).flip(0)
    kept = torch.ones(len(values), dtype=torch.bool) if mask is None else mask
    return GroupImportance(
        name, tuple(order.tolist()), tuple(values[order].tolist()), tuple(kept[order].tolist())
    )


# --------------------------------------------------------------------------- pictures


@dataclass(frozen=True, eq=False)
class WeightImage:
    """A weight as a picture of magnitudes.

    Args:
        values: (rows, columns) float32; a row is one or more outputs, a column one or more inputs (times
            kernel positions).
        shape: of the weight.
        block: how many outputs and inputs one picture element represents; (1, 1) shows each weight.
        reduction: what one element shows of its block, "mean" or "max".
    """

    values: Tensor
    shape: tuple[int, ...]
    block: tuple[int, int]
    reduction: Literal["mean", "max"]


def weight_image(
    weight: Tensor, max_side: int = 256, reduction: Literal["mean", "max"] = "mean"
) -> WeightImage:
    """Read a weight as (out, in * kernel) and shrink it by whole blocks until both sides fit.

    Args:
        weight: (out, in, *kernel), or fewer dimensions.
    """
    flat = weight.detach().abs().float()
    flat = flat.flatten(1) if flat.dim() > 1 else flat.reshape(-1, 1)
    block = (max(1, math.ceil(flat.shape[0] / max_side)), max(1, math.ceil(flat.shape[1] / max_side)))
    if block != (1, 1) and flat.numel():
        if reduction == "mean":  # blocks at the edge are averaged over their actual size
            flat = functional.avg_pool2d(flat[None], block, ceil_mode=True, count_include_pad=False)[0]
        else:
            flat = functional.max_pool2d(flat[None], block, ceil_mode=True)[0]
    return WeightImage(flat.cpu(), tuple(weight.shape), block, reduction)
