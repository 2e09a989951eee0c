"""Expands kept units to masks of the layers that they belong to."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..values.profile import Masks, ModelProfile


def positions(profile: ModelProfile, channels: Mapping[str, Tensor]) -> dict[str, dict[int, Tensor]]:
    """Return tensor -> dimension -> (size,) bool: the positions that the channel masks keep, on every
    slot.
    """
    kept: dict[str, dict[int, Tensor]] = {}
    groups = {group.name: group for group in profile.groups}
    for name, mask in channels.items():
        for slot in groups[name].slots:
            unit_of = slot.units
            line = mask[unit_of.clamp(min=0)] | (unit_of < 0)
            dims = kept.setdefault(slot.tensor, {})
            dims[slot.dim] = dims[slot.dim] & line if slot.dim in dims else line
    return kept


def expand(masks: Masks, profile: ModelProfile, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return tensor name -> bool of its full shape: masks reach every slot (weights, biases, norms, next
    inputs).
    """
    full = {
        layer.weight: masks.weights[layer.name] for layer in profile.layers if layer.name in masks.weights
    }
    for tensor, dims in positions(profile, masks.channels).items():
        mask = full.get(tensor, torch.ones(shapes[tensor], dtype=torch.bool))
        for dim, kept in dims.items():
            mask = mask & kept.view([-1 if d == dim else 1 for d in range(len(shapes[tensor]))])
        full[tensor] = mask
    return full
