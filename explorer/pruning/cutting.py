"""Scores -> masks: which units are kept. Of equal scores the earlier unit is removed first, so equal scores
give equal masks.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..registry import CRITERIA, Plugin
from ..signals.lowest import lowest_of
from ..values.granularity import BLOCK, CHANNEL, WEIGHT
from ..values.profile import Group, Layer, Masks, ModelProfile, Saliencies
from ..values.recipe import PATTERN, Recipe
from ..values.report import PartOutcome
from .masks import positions


@dataclass(frozen=True, eq=False)
class Cut:
    """Masks, with the requested and the achieved ratios."""

    masks: Masks
    outcomes: tuple[PartOutcome, ...]


def cut(scores: Saliencies, profile: ModelProfile, recipe: Recipe) -> Cut:
    """Keep the highest-scoring units of each part: channels first, then weights among those that are left."""
    groups = {group.name: group for group in profile.groups}
    channels: dict[str, Tensor] = {}
    outcomes: list[PartOutcome] = []
    for name in _in_order(groups, {**recipe.channels, **dict.fromkeys(recipe.remove, 0)}):
        kept, outcome = _cut_group(groups[name], scores.channels.get(name), recipe)
        outcomes.append(outcome)
        if not bool(kept.all()):
            channels[name] = kept
    surviving = positions(profile, channels) if recipe.weights else {}  # looking at every slot takes a while
    weights = {}
    criterion = CRITERIA[recipe.criterion.name]
    for name in _in_order(profile.prunable_layers, recipe.weights):
        layer = profile.prunable_layers[name]
        mask, outcome = _cut_layer(
            layer, scores.weights[name], surviving.get(layer.weight, {}), recipe, criterion
        )
        weights[name] = mask
        outcomes.append(outcome)
    outcomes += [PartOutcome(name, BLOCK, 1.0, 1.0, 1, 1) for name in recipe.blocks]
    return Cut(Masks(channels, weights, recipe.blocks), tuple(outcomes))


def _in_order(known: Iterable[str], asked: Mapping[str, Any]) -> list[str]:
    return [name for name in known if name in asked]


def removal_count(ratio: float, units: int) -> int:
    """Return min(round(r n), n - 1): at least one unit is kept."""
    return max(0, min(round(ratio * units), units - 1))


def _cut_group(group: Group, scores: Tensor | None, recipe: Recipe) -> tuple[Tensor, PartOutcome]:
    ratio, n = recipe.channels.get(group.name, 0.0), group.units

    def outcome(removed, reason):
        return PartOutcome(group.name, CHANNEL, ratio, removed / n, n, removed, reason)

    if group.frozen is not None or scores is None:
        return torch.ones(n, dtype=torch.bool), outcome(0, f"cannot be pruned: {group.frozen}")
    by_hand, kept_by_hand = recipe.remove.get(group.name, ()), recipe.keep.get(group.name, ())
    wanted = removal_count(ratio, n)
    removed = min(max(wanted, len(by_hand)), n - max(1, len(kept_by_hand)))
    reasons = []
    if removed < round(ratio * n):
        reasons.append("at least one unit stays" if not kept_by_hand else f"{len(kept_by_hand)} kept by hand")
    elif len(by_hand) > wanted:
        rest = ", at least one unit stays" if len(by_hand) == n else ""
        reasons.append(f"{min(len(by_hand), removed)} removed by hand{rest}")
    most = n - min(len(by_hand), n - max(1, len(kept_by_hand)))
    rounded, why = _rounded(group, n - removed, recipe.round_to, (max(1, len(kept_by_hand)), most))
    removed = n - rounded
    reasons += [why] if why else []
    turn = torch.zeros(n)  # by hand goes first, and of several the one that is worth least
    turn[list(by_hand)], turn[list(kept_by_hand)] = -1, 1
    order = torch.argsort(scores, stable=True)
    kept = torch.ones(n, dtype=torch.bool)
    kept[order[torch.argsort(turn[order], stable=True)][:removed]] = False
    if not reasons and ratio and abs(removed / n - ratio) > 1e-4:
        reasons.append("nearest whole number")
    return kept, outcome(removed, "; ".join(reasons) or None)


def _rounded(group: Group, kept: int, round_to: int, bounds: tuple[int, int]) -> tuple[int, str | None]:
    """Return the number of units to keep, so that channel counts are multiples of `round_to` if possible.

    Args:
        bounds: the fewest and the most units that may be kept, since some are kept and some removed by hand.
    Returns: the number, and why it is not the requested one.
    """
    producer = next((s for s in group.slots if s.producer), group.slots[0])
    per_unit = max(1, sum(u >= 0 for u in producer.unit_of) // group.units)
    step = round_to // math.gcd(round_to, per_unit)
    if step <= 1 or kept == group.units:
        return kept, None
    if group.units < step:
        return kept, f"has fewer than {round_to} channels, so it is not rounded"
    fewest, most = bounds
    lowest, highest = -(-fewest // step) * step, most // step * step
    if lowest > highest:
        return kept, f"no multiple of {round_to} channels allows what is kept and removed by hand"
    nearest = round(kept / step) * step
    if nearest > most == group.units:
        return group.units, f"stays whole, as the nearest multiple of {round_to} channels is more than it has"
    nearest = min(max(lowest, nearest), highest)
    return nearest, None if nearest == kept else f"rounded to a multiple of {round_to} channels"


def _cut_layer(
    layer: Layer, scores: Tensor, surviving: Mapping[int, Tensor], recipe: Recipe, criterion: Plugin
) -> tuple[Tensor, PartOutcome]:
    indices = {dim: kept.nonzero().flatten() for dim, kept in surviving.items()}
    inner = scores
    for dim, index in indices.items():
        inner = inner.index_select(dim, index)
    ratio = recipe.weights[layer.name]
    if recipe.pattern != "free":
        kept, reason = _cut_pattern(inner, layer.input_dim, recipe.pattern, ratio)
    elif criterion.traits["scope"] == "row":
        kept, reason = _cut_rows(inner, ratio), None
    else:
        kept, reason = _cut_free(inner, ratio), None
    removed, total = int((~kept).sum()), kept.numel()
    if reason is None and recipe.pattern == "free" and removed < round(ratio * total):
        reason = "at least one weight stays"
    full = kept
    for dim, index in reversed(indices.items()):
        shape = list(full.shape)
        shape[dim] = len(surviving[dim])
        full = torch.zeros(shape, dtype=torch.bool).index_copy_(dim, index, full)
    return full, PartOutcome(layer.name, WEIGHT, ratio, removed / total, total, removed, reason)


def _cut_free(scores: Tensor, ratio: float) -> Tensor:
    """Return bool of any shape: all are kept but the lowest min(round(r n), n - 1)."""
    flat = scores.flatten()
    return ~lowest_of(flat, removal_count(ratio, flat.numel())).view(scores.shape)


def _cut_rows(scores: Tensor, ratio: float) -> Tensor:
    """Remove the lowest within each output row."""
    rows = scores.flatten(1)
    removed = removal_count(ratio, rows.shape[1])
    order = torch.argsort(rows, dim=1, stable=True)[:, :removed]
    return torch.ones_like(rows, dtype=torch.bool).scatter_(1, order, False).view(scores.shape)


def _cut_pattern(scores: Tensor, input_dim: int, pattern: str, ratio: float) -> tuple[Tensor, str | None]:
    """Apply n:m: of each m consecutive inputs at one kernel position the n highest are kept."""
    match = PATTERN.match(pattern)
    assert match is not None
    n, m = int(match[1]), int(match[2])
    inputs = scores.shape[input_dim]
    if inputs % m:
        return torch.ones_like(
            scores, dtype=torch.bool
        ), f"its inputs ({inputs}) are not divisible by {m}, so it stays dense"
    blocks = scores.movedim(input_dim, -1)
    shape = blocks.shape
    blocks = blocks.reshape(-1, m)
    order = torch.argsort(blocks, dim=1, stable=True)[:, : m - n]
    kept = torch.ones_like(blocks, dtype=torch.bool).scatter_(1, order, False)
    fixed = 1 - n / m
    reason = None if abs(ratio - fixed) < 1e-4 else f"the pattern {pattern} removes {fixed:.0%} or nothing"
    return kept.reshape(shape).movedim(-1, input_dim), reason


# --------------------------------------------------------------------------- expand
