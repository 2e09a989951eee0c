"""The negative control: a smaller model that is wrong on purpose must give different outputs."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, fx

from ..pruning.masks import positions
from ..values.profile import Masks, ModelProfile, Slot
from ..values.progress import Returning, reached
from .comparison import Expected
from .faults import Fault, Loss, Swap, WrongMask
from .random_draws import carried

SWAPPED = "two channels swapped at one place"
LOST = "one channel lost at one place"
MASKED = "the mask of one layer moved by one weight"


def negative_control(
    profile: ModelProfile, masks: Masks, twin: fx.GraphModule, expected: Expected
) -> Returning[tuple[float | None, str | None]]:
    """Make one fault at a time; return the median difference over the first, middle and last place for it,
    and what the fault is. Both are None if there is no place for one.
    """
    for name, faults in _faults(profile, masks, twin):
        if faults:
            return (yield from _median(faults, twin, expected)), name
    return None, None


def is_seen(profile: ModelProfile, masks: Masks, twin: fx.GraphModule) -> bool:
    """Whether anything that was removed would have reached an output."""
    uses, tensors = _uses(twin), dict(twin.named_parameters(remove_duplicate=False))
    cut = {name for name, mask in masks.channels.items() if not bool(mask.all())}
    names = [slot.tensor for group in profile.groups if group.name in cut for slot in group.slots]
    names += [
        profile.prunable_layers[name].weight for name, mask in masks.weights.items() if not bool(mask.all())
    ]
    return any(id(tensors[name]) in uses for name in names if name in tensors)


def _faults(
    profile: ModelProfile, masks: Masks, twin: fx.GraphModule
) -> Iterator[tuple[str, Sequence[Fault]]]:
    """Yield kinds of faults, the subtlest one first."""
    if masks.channels:
        yield SWAPPED, list(_at_groups(profile, masks, twin, _swap))
        yield LOST, list(_at_groups(profile, masks, twin, _loss))
    elif masks.weights:
        yield MASKED, list(_at_layers(profile, masks, twin))


def _median(faults: Sequence[Fault], twin: fx.GraphModule, expected: Expected) -> Returning[float]:
    chosen = sorted({0, len(faults) // 2, len(faults) - 1})
    differences = []
    for done, i in enumerate(chosen):
        differences.append(expected.difference(twin, faults[i]))
        yield reached(done + 1, len(chosen), "Making a fault on purpose")
    return sorted(differences)[len(differences) // 2]


def _at_layers(profile: ModelProfile, masks: Masks, twin: fx.GraphModule) -> Iterator[Fault]:
    """Return one fault per layer that lost single weights."""
    tensors, uses = dict(twin.named_parameters(remove_duplicate=False)), _uses(twin)
    for layer, mask in masks.weights.items():
        tensor = tensors.get(profile.prunable_layers[layer].weight)
        if tensor is not None and id(tensor) in uses and tensor.shape == mask.shape and not bool(mask.all()):
            yield WrongMask(tensor, None, mask)


def _at_groups(
    profile: ModelProfile, masks: Masks, twin: fx.GraphModule, fault: Callable[..., Fault | None]
) -> Iterator[Fault]:
    """Return one fault per group: in a weight that reads it if there is one, otherwise in one that produces
    it.

    Args:
        fault: (slot, its kept positions or None for all, its tensor, the only node) -> fault or None.
    """
    surviving, uses = positions(profile, masks.channels), _uses(twin)
    tensors = dict(twin.named_parameters(remove_duplicate=False))
    for group in profile.free_groups.values():
        slots = [slot for slot in group.slots if id(tensors.get(slot.tensor)) in uses]
        for slot in sorted(slots, key=lambda slot: (tensors[slot.tensor].dim() < 2, slot.producer)):
            tensor = tensors[slot.tensor]
            readers = uses.get(id(tensor), []) if slot.producer else []
            # a weight that produces units and reads them too, changed for both, may do the same as before
            only = readers[-1] if len(readers) > 1 else None
            made = fault(slot, surviving.get(slot.tensor, {}).get(slot.dim), tensor, only)
            if made is not None:
                yield made
                break


def _swap(slot: Slot, line: Tensor | None, tensor: Tensor, only: fx.Node | None) -> Fault | None:
    """Return a swap of two positions of different kept units."""
    old, new = _kept(slot, line)
    other = (slot.units[old] != slot.units[old[:1]]).nonzero().flatten()
    return Swap(tensor, only, slot.dim, int(new[0]), int(new[other[0]])) if len(other) else None


def _loss(slot: Slot, line: Tensor | None, tensor: Tensor, only: fx.Node | None) -> Fault | None:
    """Return the loss of the first kept position."""
    _, new = _kept(slot, line)
    return Loss(tensor, only, slot.dim, int(new[0])) if len(new) else None


def _kept(slot: Slot, line: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the kept positions of a slot, as numbered before and after the cut.

    Args:
        line: (size,) bool, the kept positions of the slot; None = all.
    """
    kept = slot.units >= 0 if line is None else (slot.units >= 0) & line
    renumbered = (torch.ones_like(kept) if line is None else line).cumsum(0) - 1
    old = kept.nonzero().flatten()
    return old, renumbered[old]


def _uses(twin: fx.GraphModule) -> dict[int, list[fx.Node]]:
    """Return, for the id of each parameter, the nodes that compute with it what reaches an output."""
    readers: dict[int, list[fx.Node]] = {}
    living = carried(twin.graph.nodes)
    parameters = dict(twin.named_parameters(remove_duplicate=False))
    for node in twin.graph.nodes:
        if node not in living:
            continue
        tensors = []
        if node.op == "call_module":
            tensors = list(twin.get_submodule(str(node.target)).parameters(recurse=False))
        elif node.op == "call_function":
            named = [str(source.target) for source in node.all_input_nodes if source.op == "get_attr"]
            tensors = [parameters[name] for name in named if name in parameters]
        for tensor in tensors:
            readers.setdefault(id(tensor), []).append(node)
    return readers
