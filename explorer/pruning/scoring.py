"""Signals -> scores: one value for each unit of each part."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from ..registry import CRITERIA
from ..signals.values import LayerSignals
from ..values.granularity import CHANNEL
from ..values.made_when_asked import MadeWhenAsked
from ..values.profile import Group, Layer, ModelProfile, Saliencies, Slot
from ..values.recipe import Recipe
from .checks import rates_weights

SignalsOf = Callable[[Layer], LayerSignals]


def reduce_units(saliency: Tensor, slot: Slot, units: int, how: str = "sum_abs") -> Tensor:
    """Reduce the saliency of weights to one number per unit.

    Args:
        saliency: the weight's shape.
        how: "sum_abs" sums magnitudes, "abs_sum" takes the magnitude of the sum, "sum_sq" sums squares.
    """
    rows = saliency.movedim(slot.dim, 0).flatten(1)
    rows = rows.square() if how == "sum_sq" else rows.abs() if how == "sum_abs" else rows
    return _spread(rows.sum(1), slot, units).abs()


def _spread(per_position: Tensor, slot: Slot, units: int) -> Tensor:
    """Sum (positions along the slot,) values to (units,)."""
    own = slot.units >= 0
    return torch.zeros(units, dtype=per_position.dtype).index_add_(0, slot.units[own], per_position[own])


def _rating_slots(group: Group, profile: ModelProfile, reduction: str) -> list[tuple[Layer, Slot]]:
    by_tensor = {layer.weight: layer for layer in profile.layers if layer.weight}
    slots = [(by_tensor[s.tensor], s) for s in group.slots if s.tensor in by_tensor]
    producers = [(layer, slot) for layer, slot in slots if slot.producer]
    if reduction == "first":
        return producers[:1]
    return slots if reduction == "all" else producers


def score_group(
    group: Group, profile: ModelProfile, saliency: Callable[[Layer], Tensor], how: str, reduction: str
) -> Tensor:
    """Return (units,) saliency of each unit of a coupled group; if outputs are rated, only layers that
    produce the group count.
    """
    total = torch.zeros(group.units)
    for layer, slot in _rating_slots(group, profile, reduction):
        rated = saliency(layer)
        if rated.dim() > 1:
            total = total + reduce_units(rated, slot, group.units, how)
        elif slot.producer:
            total = total + _spread(rated, slot, group.units)
    return total


def score(
    profile: ModelProfile, recipe: Recipe, signals: SignalsOf, parts: Iterable[str] | None = None
) -> Saliencies:
    """Rate every part; only the requested parts, or all."""
    weights = score_weights(profile, recipe, signals, parts)
    return Saliencies(score_channels(profile, recipe, signals, parts), dict(weights))


def score_channels(
    profile: ModelProfile, recipe: Recipe, signals: SignalsOf, parts: Iterable[str] | None = None
) -> dict[str, Tensor]:
    """Group -> (units,); only the requested parts, or all."""
    criterion = CRITERIA[recipe.criterion.name]
    params, how = recipe.criterion.params, criterion.traits["reduction"]

    @lru_cache(maxsize=2)  # saliencies are as large as weights
    def outputs(layer: Layer) -> Tensor:
        return criterion(replace(signals(layer), granularity=CHANNEL), **params)

    wanted = set(profile.free_groups if parts is None else parts)
    return {
        name: score_group(group, profile, outputs, how, recipe.reduction)
        for name, group in profile.free_groups.items()
        if name in wanted
    }


def score_weights(
    profile: ModelProfile, recipe: Recipe, signals: SignalsOf, parts: Iterable[str] | None = None
) -> MadeWhenAsked[Tensor]:
    """Layer -> the weight's shape, rated when it is read; only the requested parts, or all."""
    criterion = CRITERIA[recipe.criterion.name]
    params, layers = recipe.criterion.params, profile.prunable_layers
    wanted = set(layers if parts is None else parts) if rates_weights(criterion) else set()
    return MadeWhenAsked(
        (name for name in layers if name in wanted), lambda name: criterion(signals(layers[name]), **params)
    )
