"""The negative control: a smaller model that is wired wrongly on purpose must give different outputs."""

from collections.abc import Iterator

import torch
from torch import Tensor, fx

from ..pruning.masks import positions
from ..values.profile import Masks, ModelProfile, Slot
from ..values.progress import Returning, reached
from .comparison import Expected
from .swaps import Swap


def negative_control(
    profile: ModelProfile, masks: Masks, twin: fx.GraphModule, expected: Expected
) -> Returning[float | None]:
    """Swap two kept positions on one slot only; return the median difference over the first, middle and last
    group that has such a slot.
    """
    candidates = list(_swaps(profile, masks, twin))
    chosen = sorted({0, len(candidates) // 2, len(candidates) - 1}) if candidates else []
    differences = []
    for done, i in enumerate(chosen):
        differences.append(expected.difference(twin, candidates[i]))
        yield reached(done + 1, len(chosen), "Swapping two channels")
    return sorted(differences)[len(differences) // 2] if differences else None


def _swaps(profile: ModelProfile, masks: Masks, twin: fx.GraphModule) -> Iterator[Swap]:
    """Return one swap per group: in a weight that reads it if there is one, otherwise in one that produces
    it.
    """
    surviving, uses = positions(profile, masks.channels), _uses(twin)
    tensors = dict(twin.named_parameters(remove_duplicate=False))
    for group in profile.free_groups.values():
        slots = [slot for slot in group.slots if slot.tensor in tensors]
        for slot in sorted(slots, key=lambda slot: (tensors[slot.tensor].dim() < 2, slot.producer)):
            pair = _two_kept(slot, surviving.get(slot.tensor, {}).get(slot.dim))
            if pair is not None:
                tensor = tensors[slot.tensor]
                readers = uses.get(id(tensor), []) if slot.producer else []
                # a weight that produces units and reads them too, swapped for both, may do the same as before
                yield Swap(tensor, slot.dim, *pair, only=readers[-1] if len(readers) > 1 else None)
                break


def _uses(twin: fx.GraphModule) -> dict[int, list[fx.Node]]:
    """Return, for the id of each parameter, the nodes that compute with it."""
    readers: dict[int, list[fx.Node]] = {}
    parameters = dict(twin.named_parameters(remove_duplicate=False))
    for node in twin.graph.nodes:
        tensors = []
        if node.op == "call_module":
            tensors = list(twin.get_submodule(str(node.target)).parameters(recurse=False))
        elif node.op == "call_function":
            named = [str(source.target) for source in node.all_input_nodes if source.op == "get_attr"]
            tensors = [parameters[name] for name in named if name in parameters]
        for tensor in tensors:
            readers.setdefault(id(tensor), []).append(node)
    return readers


def _two_kept(slot: Slot, line: Tensor | None) -> tuple[int, int] | None:
    """Return two positions of different kept units, as numbered after the cut.

    Args:
        line: (size,) bool, the kept positions of the slot; None = all.
    """
    kept = slot.units >= 0 if line is None else (slot.units >= 0) & line
    renumbered = (torch.ones_like(kept) if line is None else line).cumsum(0) - 1
    old = kept.nonzero().flatten()
    other = old[slot.units[old] != slot.units[old[0]]] if len(old) else old
    return (int(renumbered[old[0]]), int(renumbered[other[0]])) if len(other) else None
