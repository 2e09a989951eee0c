"""How far apart two outputs are, and the negative control: a smaller model that was wired wrongly
on purpose.
"""

from collections.abc import Generator, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from ..pruning.masks import positions
from ..values.profile import Masks, ModelProfile, Slot
from ..values.progress import Progress
from .float64_run import WideRun
from .random_draws import Draws


def flat(outputs: Any) -> Tensor:
    """All tensors of an output structure as (batch, values)."""
    leaves = [leaf.double() for leaf in torch.utils._pytree.tree_leaves(outputs) if isinstance(leaf, Tensor)]
    rows = max((len(leaf) for leaf in leaves if leaf.dim()), default=1)

    def fits(leaf):
        return leaf.dim() > 0 and len(leaf) == rows

    return torch.cat(
        [leaf.reshape(rows, -1) if fits(leaf) else leaf.reshape(1, -1).expand(rows, -1) for leaf in leaves], 1
    )


Portions = Sequence[tuple[Tensor, Draws]]


def wide_outputs(twin: fx.GraphModule, parts: Portions) -> Tensor:
    """(inputs, values) of a model of float64 parameters, portion by portion, each with its random numbers."""
    return torch.cat([flat(WideRun(twin, draws.replay()).run(part)) for part, draws in parts])


def relative_difference(found: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to how much the outputs vary over inputs: a constant part would
    hide it.
    """
    spread = (expected.amax(0) - expected.amin(0)).max().clamp(min=1e-300)
    return float((found - expected).abs().max() / spread)


def negative_control(
    profile: ModelProfile, masks: Masks, twin: fx.GraphModule, parts: Portions, expected: Tensor
) -> Generator[Progress, None, float | None]:
    """Swap two kept positions on one slot only; the median difference over the first, middle and last such
    slot.
    """
    candidates = _swappable(profile, masks, twin)
    chosen = sorted({0, len(candidates) // 2, len(candidates) - 1}) if candidates else []
    differences = []
    for done, i in enumerate(chosen):
        differences.append(_swapped(twin, *candidates[i], parts, expected))
        yield Progress(done + 1, len(chosen), "Swapping two channels")
    return sorted(differences)[len(differences) // 2] if differences else None


def _swappable(
    profile: ModelProfile, masks: Masks, twin: fx.GraphModule
) -> list[tuple[Tensor, int, int, int]]:
    """(tensor, dim, a, b): weights that read a group of which at least two units are kept."""
    tensors = dict(twin.named_parameters(remove_duplicate=False))
    surviving = positions(profile, masks.channels)
    found: list[tuple[Tensor, int, int, int]] = []
    for group in profile.free_groups.values():
        for slot in group.slots:
            if slot.producer or slot.tensor not in tensors or tensors[slot.tensor].dim() < 2:
                continue
            pair = _two_kept(slot, surviving.get(slot.tensor, {}).get(slot.dim))
            if pair is not None:
                found.append((tensors[slot.tensor], slot.dim, *pair))
                break
    return found


def _two_kept(slot: Slot, line: Tensor | None) -> tuple[int, int] | None:
    """Two positions of different kept units, as numbered after the cut.

    Args:
        line: (size,) bool, the positions of the slot that survive; None = all.
    """
    kept = slot.units >= 0 if line is None else (slot.units >= 0) & line
    renumbered = (torch.ones_like(kept) if line is None else line).cumsum(0) - 1
    old = kept.nonzero().flatten()
    other = old[slot.units[old] != slot.units[old[0]]] if len(old) else old
    return (int(renumbered[old[0]]), int(renumbered[other[0]])) if len(other) else None


@torch.no_grad()
def _swapped(
    twin: fx.GraphModule, tensor: Tensor, dim: int, a: int, b: int, parts: Portions, expected: Tensor
) -> float:
    order = torch.arange(tensor.shape[dim])
    order[[a, b]] = order[[b, a]]
    original = tensor.data
    try:
        tensor.data = original.index_select(dim, order)
        return relative_difference(wide_outputs(twin, parts), expected)
    finally:
        tensor.data = original
