"""Which channels do nothing, and which do the same? From training samples and from the weights that produce
them.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..signals.calibration import SAMPLES, Calibration, training_data
from ..signals.collection import collect, collected
from ..values.profile import Group, Layer, ModelProfile, Slot
from ..values.progress import Step, Work
from ..values.subject import Subject

NEEDS = ("activations",)
MOST_PAIRS = 200


@dataclass(frozen=True)
class Twins:
    """Two units of a group produced by nearly the same weights, the smaller number first, and the cosine of
    their angle.
    """

    first: int
    second: int
    similarity: float


@dataclass(frozen=True)
class Idle:
    """Group -> units whose activation was zero at every position of every sample, and the number of training
    samples.
    """

    units: dict[str, tuple[int, ...]]
    samples: int


def makers(profile: ModelProfile, group: Group) -> list[tuple[Layer, Slot]]:
    """Return the layers whose outputs are the units of a group."""
    by_tensor = {layer.weight: layer for layer in profile.prunable_layers.values()}
    return [
        (by_tensor[slot.tensor], slot) for slot in group.slots if slot.producer and slot.tensor in by_tensor
    ]


def unit_weights(subject: Subject, profile: ModelProfile, group: Group) -> Tensor:
    """Return (units, values): all weights that produce a unit, from all layers that do."""
    rows = []
    for layer, slot in makers(profile, group):
        weight = (
            subject.model.get_parameter(layer.weight).detach().float().cpu().movedim(slot.dim, 0).flatten(1)
        )
        own = slot.units >= 0
        order = torch.argsort(slot.units[own], stable=True)
        rows.append(weight[own][order].reshape(group.units, -1))
    return torch.cat(rows, 1) if rows else torch.zeros(group.units, 0)


def twins(rows: Tensor, threshold: float = 0.95) -> tuple[Twins, ...]:
    """Return pairs of rows whose cosine similarity reaches the threshold, the most similar first, at most
    MOST_PAIRS.

    A row of zeros is similar to no other. Opposite rows are not twins: what follows them differs.
    Args: rows: (units, values).

    >>> twins(torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]]))
    (Twins(first=0, second=2, similarity=1.0),)
    """
    if not rows.shape[1]:
        return ()
    lengths = rows.norm(dim=1, keepdim=True)
    unit = rows / lengths.clamp(min=1e-12)
    similar = (unit @ unit.T).clamp(-1, 1).triu(1)
    first, second = (similar >= threshold).nonzero(as_tuple=True)
    found = [
        Twins(a, b, round(float(similar[a, b]), 6))
        for a, b in zip(first.tolist(), second.tolist(), strict=True)
    ]
    return tuple(sorted(found, key=lambda pair: (-pair.similarity, pair.first, pair.second))[:MOST_PAIRS])


def idle(model: Analysed, device: str = "cpu") -> Work[Idle]:
    """Yield Progress while training samples run through the model, and at the end the units that were never
    active.

    Raises:
        ExplorerError: there is no training data.
    """
    split = training_data(model.subject)
    if split is None:
        raise ExplorerError(
            f"{model.subject.name!r} has no training data, so it is not known which channels are ever active."
        )
    how = Calibration(device=device)
    yield from collect(model, NEEDS, how)
    known = collected(model, NEEDS, how)
    found = {
        name: _idle_units(model.profile, group, known) for name, group in model.profile.free_groups.items()
    }
    yield Step(Idle({name: units for name, units in found.items() if units}, min(SAMPLES, len(split))))


def _idle_units(profile: ModelProfile, group: Group, known: dict[str, dict[str, Any]]) -> tuple[int, ...]:
    """Return the units that are zero wherever they are produced; none if a layer that produces them never
    ran.
    """
    silent = torch.ones(group.units, dtype=torch.bool)
    sources = makers(profile, group)
    for layer, slot in sources:
        magnitude = known.get(layer.name, {}).get("mean_magnitude")
        if magnitude is None or len(magnitude) != len(slot.units):
            return ()
        own = slot.units >= 0
        active = torch.zeros(group.units).index_add_(0, slot.units[own], magnitude[own])
        silent &= active == 0
    return tuple(silent.nonzero().flatten().tolist()) if sources else ()
