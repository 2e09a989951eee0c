"""Finds what precedes and follows a layer from the coupled groups: norms, the layers that feed it, the layers
that read it.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..graph.export import ModelGraph
from ..values.profile import Group, Layer, ModelProfile, Slot
from ..values.subject import Subject

Found = Mapping[str, Mapping[str, Tensor]]  # layer -> signal -> tensor


def norms(model: Analysed) -> Found:
    """Return norm_scale of each prunable layer, (out,): the size of the scale of the norm that follows, NaN
    if there is none.

    Raises:
        ExplorerError: no norm is on any layer's outputs.
    """
    profile = _with_groups(model.graph)
    scales = {
        name: norm_scale(model.subject, profile, layer) for name, layer in profile.prunable_layers.items()
    }
    if all(bool(scale.isnan().all()) for scale in scales.values()):
        raise ExplorerError(
            "bn_scale reads the scales of norms behind layers, and this model has none; choose one such as "
            "l1."
        )
    return {name: {"norm_scale": scale} for name, scale in scales.items()}


def neighbours(model: Analysed) -> Found:
    """Return own_gain, upstream and downstream of each prunable layer, in shapes that multiply its weight; 1
    where it has no neighbour.

    A weight is multiplied by the gain of the norm that follows it in eval mode. If several layers feed or
    read a channel, their norms add as squares.
    """
    profile = _with_groups(model.graph)
    fed, read = _energies(model.subject, profile)
    return {
        name: _around(model.subject, profile, layer, fed, read)
        for name, layer in profile.prunable_layers.items()
    }


def _with_groups(graph: ModelGraph) -> ModelProfile:
    if graph.program is None:
        raise ExplorerError(
            "Which layers are neighbours is unknown without a graph; choose a criterion such as l1."
        )
    return graph.profile


def slots_at(profile: ModelProfile, tensor: str, dim: int) -> Iterator[tuple[Group, Slot]]:
    """Return the groups along one dimension of a tensor."""
    for group in profile.groups:
        for slot in group.slots:
            if (slot.tensor, slot.dim) == (tensor, dim):
                yield group, slot


def placed(per_unit: Tensor, slot: Slot, line: Tensor) -> Tensor:
    """Return `line` with the values of units written at their positions."""
    return torch.where(slot.units >= 0, per_unit[slot.units.clamp(min=0)].to(line), line)


def _summed(line: Tensor, slot: Slot, units: int) -> Tensor:
    own = slot.units >= 0
    return torch.zeros(units, dtype=line.dtype).index_add_(0, slot.units[own], line[own])


# --------------------------------------------------------------------------- norms


def _next_norm(profile: ModelProfile, group: Group, layer: Layer) -> tuple[Layer, Slot] | None:
    """Return the first norm of the group after the layer in the order of the graph, or else its first."""
    order = {other.name: place for place, other in enumerate(profile.layers)}
    readers = [
        (other, slot)
        for other in profile.layers
        for slot in group.slots
        if other.kind == "norm" and slot.tensor in (other.name, f"{other.name}.weight") and slot.dim == 0
    ]
    after = [pair for pair in readers if order[pair[0].name] > order[layer.name]]
    return next(iter([*after, *readers]), None)


def norm_scale(subject: Subject, profile: ModelProfile, layer: Layer) -> Tensor:
    """Return (out,) |scale| of the norm that follows, the mean over a unit's positions; NaN if there is
    none.
    """
    return _of_norm(subject, profile, layer, torch.nan, gain=False)


def _of_norm(subject: Subject, profile: ModelProfile, layer: Layer, missing: float, gain: bool) -> Tensor:
    line = torch.full((layer.shape[layer.output_dim],), missing)
    for group, slot in slots_at(profile, layer.weight, layer.output_dim):
        norm = _next_norm(profile, group, layer)
        if norm is not None:
            values = _scale_of(subject, norm[0], norm[1].tensor, gain)
            positions = _summed(torch.ones_like(values), norm[1], group.units)
            line = placed(_summed(values, norm[1], group.units) / positions, slot, line)
    return line


def _scale_of(subject: Subject, norm: Layer, tensor: str, gain: bool) -> Tensor:
    scale = subject.model.get_parameter(tensor).detach().cpu().float().abs()
    buffers = dict(subject.model.named_buffers(remove_duplicate=False))
    variance = buffers.get(f"{norm.name}.running_var")
    if not gain or variance is None:
        return scale
    epsilon = getattr(subject.model.get_submodule(norm.name), "eps", 1e-5)
    return scale / (variance.detach().cpu() + epsilon).sqrt()


# --------------------------------------------------------------------------- neighbours


def _effective(subject: Subject, profile: ModelProfile, layer: Layer) -> tuple[Tensor, Tensor]:
    """Return the weight times its norm's gain, and the gain, (out, 1, ...)."""
    weight = subject.model.get_parameter(layer.weight).detach().cpu().float()
    gain = _onto(_of_norm(subject, profile, layer, 1.0, gain=True), layer, layer.output_dim)
    return weight * gain, gain


def _onto(line: Tensor, layer: Layer, dim: int) -> Tensor:
    return line.view([-1 if d == dim else 1 for d in range(len(layer.shape))])


Energies = dict[
    tuple[str, str], Tensor
]  # (group, layer) -> (units,) sum of squares of the layer's weights on each unit


def _energies(subject: Subject, profile: ModelProfile) -> tuple[Energies, Energies]:
    """Return what each layer feeds into the units of a group, and what each layer reads from them."""
    fed: Energies = {}
    read: Energies = {}
    for layer in profile.prunable_layers.values():
        squares = _effective(subject, profile, layer)[0].square()
        for dim, energies in ((layer.output_dim, fed), (layer.input_dim, read)):
            line = squares.movedim(dim, 0).flatten(1).sum(1)
            for group, slot in slots_at(profile, layer.weight, dim):
                energies[group.name, layer.name] = _summed(line, slot, group.units)
    return fed, read


def _others(energies: Energies, group: Group, layer: Layer) -> Tensor | None:
    """Return (units,) norm of what all other layers contribute to the units of a group, or None if there is
    no other.
    """
    found = [
        values for (name, other), values in energies.items() if name == group.name and other != layer.name
    ]
    return torch.stack(found).sum(0).sqrt() if found else None


def _line(profile: ModelProfile, layer: Layer, dim: int, energies: Energies) -> Tensor:
    line = torch.ones(layer.shape[dim])
    for group, slot in slots_at(profile, layer.weight, dim):
        norm = _others(energies, group, layer)
        line = line if norm is None else placed(norm, slot, line)
    return line


def _around(
    subject: Subject, profile: ModelProfile, layer: Layer, fed: Energies, read: Energies
) -> dict[str, Tensor]:
    out = layer.output_dim
    # a depthwise convolution reads the very channels that it produces, so what feeds it is along its outputs
    source = out if is_depthwise(subject, layer) else layer.input_dim
    return {
        "own_gain": _effective(subject, profile, layer)[1],
        "upstream": _onto(_line(profile, layer, source, fed), layer, source),
        "downstream": _onto(_line(profile, layer, out, read), layer, out),
    }


def is_depthwise(subject: Subject, layer: Layer) -> bool:
    """Whether it is a convolution each of whose outputs reads a single channel of several."""
    if layer.kind != "conv" or layer.shape[layer.input_dim] != 1:
        return False
    try:
        return getattr(subject.model.get_submodule(layer.name), "groups", 1) > 1
    except AttributeError:  # the weight is not a module's
        return False
