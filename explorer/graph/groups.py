"""Ties -> classes of labels that keep every tensor rectangular -> coupled groups."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..values.profile import Group, Slot
from .coupling import Coupling, Walk
from .labels import Ties, varying
from .rules.call import labelled


def solve(walk: Walk, rated: Collection[str]) -> Coupling:
    """Turn ties into classes that keep every tensor rectangular, and those into coupled groups.

    Args:
        rated: the weights that belong to a layer; units that none of them produces cannot be rated.
    """
    ties = walk.ties
    spread = [a for a in (*_all_arrays(walk.values.values()), *ties.passing) if len(varying(a)) > 1]
    classes = ties.components()
    if _settle(ties, classes):
        classes = ties.components()
    for _ in range(20):
        ragged = [a for a in spread if not _rectangular(classes[a.clamp(min=0)])]
        if not ragged:
            break
        for array in ragged:
            ties.tie_along(array, varying(array) - {_widest(classes[array.clamp(min=0)])})
        classes = ties.components()
    for array, dim, why in ties.picked:
        held = classes[array.clamp(min=0)]
        if bool((held != held.narrow(dim, 0, 1)).any()) and _hyperplanes(held, dim):
            ties.freeze(array, why)
    for array, dims, why in ties.missing:  # whole heads may meet values that do not vary within a head
        held = classes[array.clamp(min=0)]
        if any(bool((held != held.narrow(dim, 0, 1)).any()) for dim in dims):
            ties.freeze(array, why)
    frozen = _frozen_reasons(ties, classes)
    groups, units = _groups(walk, classes, frozen, rated)
    return Coupling(classes, walk.values, groups, units, walk.macs, walk.weights)


def _settle(ties: Ties, classes: Tensor) -> bool:
    """Tie the labels that meet others of fewer dimensions, if those distinguish units; return whether there
    were any.
    """
    for wide, narrow, why in ties.nested:
        held = classes[wide]
        shared = all(bool((held == held.narrow(dim, 0, 1)).all()) for dim in varying(narrow))
        if shared:
            ties.freeze(
                narrow,
                f"shared by all units that go as one: {why}" if why else "shared by all units that go as one",
            )
        else:
            ties.tie(wide, narrow, why)
    return bool(ties.nested)


def _all_arrays(values: Any) -> list[Tensor]:
    return [array for value in labelled(list(values)) for array in value.arrays]


def _hyperplanes(classes: Tensor, dim: int) -> bool:
    """Put each hyperplane of a dimension into one class."""
    flat = classes.movedim(dim, 0).reshape(classes.shape[dim], -1)
    return bool((flat == flat[:, :1]).all())


def _rectangular(classes: Tensor) -> bool:
    return any(_hyperplanes(classes, dim) for dim in varying(classes)) or not varying(classes)


def _widest(classes: Tensor) -> int:
    """Return the dimension along which most units stay apart when the others are tied."""
    return max(sorted(varying(classes)), key=lambda dim: (_apart(classes, dim), -dim))


def _apart(classes: Tensor, dim: int) -> int:
    rows = classes.movedim(dim, 0).reshape(classes.shape[dim], -1)
    local = Ties(labels=int(rows.max()) + 1)
    local.tie(rows, rows[:, :1])
    return len(local.components()[rows].unique())


def _frozen_reasons(ties: Ties, classes: Tensor) -> dict[int, str]:
    reasons: dict[int, str] = {}
    for labels, why in ties.frozen:
        for unit in classes[labels].unique().tolist():
            reasons.setdefault(unit, why)
    return reasons


@dataclass(frozen=True)
class Members:
    """Classes that are one group: their slots, and why they are frozen, if they are."""

    slots: tuple[tuple[str, int], ...]
    units: list[int]
    frozen: str | None


def _groups(
    walk: Walk, classes: Tensor, frozen: dict[int, str], rated: Collection[str]
) -> tuple[tuple[Group, ...], dict[str, Tensor]]:
    """Return the groups: classes with the same set of slots, and the same pieces, are one group; a group
    without a producer has no fader.
    """
    footprint: dict[int, list[tuple[str, int]]] = {}
    for slot, labels in walk.slots.items():
        for unit in classes[labels].unique().tolist():
            footprint.setdefault(unit, []).append(slot)
    parts = _parts(walk.ties, classes)
    members: dict[tuple, list[int]] = {}
    for unit in sorted(footprint):
        members.setdefault((tuple(footprint[unit]), frozen.get(unit), tuple(parts.get(unit, ()))), []).append(
            unit
        )
    order = {slot: position for position, slot in enumerate(walk.produced)}
    classes_of = []
    for (slots, reason, _), units in members.items():
        producers = [slot for slot in slots if slot in walk.produced]
        if producers:
            if not any(tensor in rated for tensor, _ in producers):
                reason = reason or f"made by {producers[0][0]}, weights of a kind that nothing rates"
            classes_of.append((min(order[s] for s in producers), slots, reason, units))
    classes_of.sort(key=lambda item: (item[0], item[3][0]))
    groups, unit_classes, taken = [], {}, set()
    explained = [(int(classes[label]), text) for label, text in walk.ties.reasons]
    heads = {int(classes[label]) for label in (h[0] for h in walk.ties.heads if len(h) and int(h[0]) >= 0)}
    for first, slots, reason, units in classes_of:
        if len(units) == 1:
            many = max(int((classes[walk.slots[slot]] == units[0]).sum()) for slot in slots) > 1
            alone = "all its channels are tied to each other" if many else "is a single channel"
            reason = reason or f"{alone}, and at least one unit stays"
        base = list(walk.produced.values())[first][0]
        name, copy = base, 2
        while name in taken:
            name, copy = f"{base}#{copy}", copy + 1
        taken.add(name)
        unit_classes[name] = torch.tensor(units)
        groups.append(_group(walk, classes, name, Members(slots, units, reason), explained, heads))
    return tuple(groups), unit_classes


def _parts(ties: Ties, classes: Tensor) -> dict[int, list[int]]:
    """Return, for each class, the pieces taken out of a value that it is in: one unit of each group is kept,
    so that no piece loses all.
    """
    parts: dict[int, list[int]] = {}
    for number, units in enumerate(
        {tuple(classes[piece[piece >= 0]].unique().tolist()): None for piece in ties.pieces}
    ):
        for unit in units:
            parts.setdefault(unit, []).append(number)
    return parts


def _group(
    walk: Walk, classes: Tensor, name: str, members: Members, explained: list, heads: set[int]
) -> Group:
    units = members.units
    number = torch.full((int(classes.max()) + 1,), -1)
    number[torch.tensor(units)] = torch.arange(len(units))
    own = set(units)
    slots = tuple(
        Slot(
            tensor,
            dim,
            tuple(number[classes[walk.slots[tensor, dim]]].tolist()),
            (tensor, dim) in walk.produced,
        )
        for tensor, dim in members.slots
    )
    layers = dict.fromkeys(
        slot.tensor.rsplit(".", 1)[0] if "." in slot.tensor else slot.tensor for slot in slots
    )
    tied_by = tuple(dict.fromkeys(text for unit, text in explained if unit in own))
    unit = "head" if own & heads else "channel"
    return Group(name, len(units), slots, tuple(layers), tied_by, members.frozen, unit)
