"""Ties -> classes of labels that keep every tensor rectangular -> coupled groups."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..values.granularity import CHANNEL
from ..values.profile import HEAD, Group, Slot
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
    groups, units = _groups(walk, classes, rated)
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


def _frozen_reasons(ties: Ties, classes: Tensor) -> tuple[Tensor, list[str]]:
    """Return the number of the first reason why each class is frozen, -1 if it is not, and the reasons."""
    numbers, reasons = torch.full((len(classes),), -1), dict[str, int]()
    for labels, why in ties.frozen:
        held = classes[labels]
        numbers[held[numbers[held] < 0]] = reasons.setdefault(why, len(reasons))
    return numbers, list(reasons)


@dataclass(frozen=True)
class Members:
    """Classes that are one group: their slots, and why they are frozen, if they are."""

    slots: tuple[tuple[str, int], ...]
    units: list[int]
    frozen: str | None


def _groups(
    walk: Walk, classes: Tensor, rated: Collection[str]
) -> tuple[tuple[Group, ...], dict[str, Tensor]]:
    """Return the groups: classes with the same set of slots, and the same pieces, are one group; a group
    without a producer has no fader.
    """
    members = _members(walk, classes)
    order = {slot: position for position, slot in enumerate(walk.produced)}
    classes_of = []
    for one in members:
        slots, reason, units = one.slots, one.frozen, one.units
        producers = [slot for slot in slots if slot in walk.produced]
        if producers:
            if not any(tensor in rated for tensor, _ in producers):
                reason = reason or f"made by {producers[0][0]}, weights of a kind that nothing rates"
            classes_of.append((min(order[s] for s in producers), slots, reason, units))
    classes_of.sort(key=lambda item: (item[0], item[3][0]))
    groups, unit_classes, taken = [], {}, set()
    names = [layer for layer, _ in walk.produced.values()]
    of_class = _membership(walk, classes, [units for *_, units in classes_of])
    for place, (first, slots, reason, units) in enumerate(classes_of):
        if len(units) == 1:
            many = max(int((classes[walk.slots[slot]] == units[0]).sum()) for slot in slots) > 1
            alone = "all its channels are tied to each other" if many else "is a single channel"
            reason = reason or f"{alone}, and at least one unit stays"
        base = names[first]
        name, copy = base, 2
        while name in taken:
            name, copy = f"{base}#{copy}", copy + 1
        taken.add(name)
        unit_classes[name] = torch.tensor(units)
        groups.append(_group(walk, classes, name, place, Members(slots, units, reason), of_class))
    return tuple(groups), unit_classes


def _members(walk: Walk, classes: Tensor) -> list[Members]:
    """Return the classes with the same slots, the same reason why they are frozen, and the same pieces taken
    out of a value: one unit of each group is kept, so that no piece loses all.
    """
    numbers, reasons = _frozen_reasons(walk.ties, classes)
    slots = list(walk.slots)
    held = [classes[walk.slots[slot]].unique() for slot in slots]
    pieces = [classes[piece[piece >= 0]].unique() for piece in walk.ties.pieces]
    kind, fresh = numbers + 1, len(reasons) + 1  # classes of one kind go together
    for units in (*held, *pieces):
        told, new = kind[units].unique(return_inverse=True)
        kind[units] = fresh + new
        fresh += len(told)
    own = torch.cat(held).unique() if held else classes[:0]
    kinds, of, count = kind[own].unique(return_inverse=True, return_counts=True)
    sorted_units = own[of.argsort(stable=True)].split(count.tolist())
    inside: list[list[tuple[str, int]]] = [[] for _ in kinds]
    place = torch.full((fresh,), -1)
    place[kinds] = torch.arange(len(kinds))
    for slot, units in zip(slots, held, strict=True):
        for number in place[kind[units]].unique().tolist():
            inside[number].append(slot)
    return [
        Members(tuple(own_slots), units.tolist(), reasons[number] if number >= 0 else None)
        for own_slots, units in zip(inside, sorted_units, strict=True)
        for number in [int(numbers[units[0]])]
    ]


@dataclass(frozen=True)
class Membership:
    """What is known of classes once their groups are.

    Args:
        group, number: (classes,) the group that each is in, -1 for none, and its unit there.
        tied_by: group -> what its units were tied by.
        heads: groups whose units are whole heads of attention.
    """

    group: Tensor
    number: Tensor
    tied_by: Mapping[int, list[str]]
    heads: frozenset[int]


def _membership(walk: Walk, classes: Tensor, units: Sequence[list[int]]) -> Membership:
    group, number = torch.full((2, len(classes)), -1)
    for place, own in enumerate(units):
        group[own], number[own] = place, torch.arange(len(own))
    tied_by: dict[int, list[str]] = {}
    for label, text in walk.ties.reasons:
        tied_by.setdefault(int(group[classes[label]]), []).append(text)
    heads = [h[0] for h in walk.ties.heads if len(h) and int(h[0]) >= 0]
    return Membership(group, number, tied_by, frozenset(int(group[classes[head]]) for head in heads))


def _group(
    walk: Walk, classes: Tensor, name: str, place: int, members: Members, of_class: Membership
) -> Group:
    slots = []
    for slot in members.slots:
        held = classes[walk.slots[slot]]
        units = torch.where(of_class.group[held] == place, of_class.number[held], -1)
        slots.append(Slot(*slot, tuple(units.tolist()), slot in walk.produced))
    layers = dict.fromkeys(
        slot.tensor.rsplit(".", 1)[0] if "." in slot.tensor else slot.tensor for slot in slots
    )
    tied_by = tuple(dict.fromkeys(of_class.tied_by.get(place, ())))
    unit = HEAD if place in of_class.heads else CHANNEL
    return Group(name, len(members.units), tuple(slots), tuple(layers), tied_by, members.frozen, unit)
