"""What a repair can begin from if the cut before it was the same up to a place: whoever moves one fader waits
only for what comes after it.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, fx

from ..graph.analysed import Analysed
from ..graph.detours import can_start_anywhere
from ..machine.cache import Cache
from ..measuring.kept_activations import first_difference
from .lockstep import Values

KEPT_BYTES = 256 * 2**20
_trails = Cache(1, "repaired layers before the last change", KEPT_BYTES)


@dataclass(frozen=True, eq=False)
class RepairPlace:
    """One place of a repair, right before a layer.

    Args:
        place: in the graph of the smaller model.
        small, dense: where the two walks are, and what they hold.
        changed: tensor -> what the repair has made of it so far.
        done: layers, norms and layers that stayed, so far.
    """

    place: int
    small: tuple[int, Values]
    dense: tuple[int, Values]
    changed: Mapping[str, Tensor]
    done: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


@dataclass(eq=False)
class RepairTrail:
    """The places of one repair.

    Args:
        cut: the smaller model before the repair.
        batches: what it looked at.
        marks: in the order of the graph.
    """

    cut: fx.GraphModule
    batches: Sequence[Tensor]
    marks: list[RepairPlace] = field(default_factory=list)

    def add(self, mark: RepairPlace) -> None:
        """Keep a place; if there is no room, every second one is let go."""
        self.marks.append(mark)
        while len(self.marks) > 1 and held_bytes(self.marks) > KEPT_BYTES:
            self.marks = self.marks[::2]

    def last_before(self, network: fx.GraphModule) -> RepairPlace | None:
        """Return the last place up to which another cut is the same."""
        place = first_difference(self.cut, network)
        return next((mark for mark in reversed(self.marks) if mark.place <= place), None)


def held_bytes(marks: Sequence[RepairPlace]) -> int:
    """Return the bytes of all values and weights that places hold, each counted once."""
    every: list[Any] = [
        value
        for mark in marks
        for held in (*mark.small[1], *mark.dense[1], mark.changed)
        for value in held.values()
    ]
    return sum({id(value): value.nbytes for value in every if isinstance(value, Tensor)}.values())


def key_of(model: Analysed, device: str) -> tuple[Any, ...]:
    """Return what two repairs must share, apart from their cuts."""
    task = model.subject.task
    return model.subject.id, task.name if task else None, task.fingerprint if task else None, device


def taken(model: Analysed, device: str) -> RepairTrail | None:
    """Take the trail of the last repair of this model, so that nobody else does."""
    key = key_of(model, device)
    found: RepairTrail | None = _trails.get(key)
    _trails.drop(key)
    return found


def begun(model: Analysed, network: fx.GraphModule, batches: Sequence[Tensor]) -> RepairTrail | None:
    """Return an empty trail for a model that is about to be repaired; None if values may be written over."""
    return RepairTrail(copy.deepcopy(network), batches) if can_start_anywhere(model.graph) else None


def left(model: Analysed, device: str, trail: RepairTrail | None) -> None:
    """Leave a trail for the next repair."""
    if trail is not None and trail.marks:
        _trails.put(key_of(model, device), trail)
