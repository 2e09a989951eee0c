"""Query heads inside key-value heads: a second kind of unit for the same positions.

Where several queries share one key and value, a whole key-value head with all its queries is one unit. What
the queries of one key-value head have of their own is only their place among the copies of the key. So the
graph is followed a second time, with labels for the copies in place of those for what is copied: the j-th
query head of every key-value head is then one unit. All key-value heads keep equally many, as the operators
that copy a key need it, and a position stays if both kinds of unit that it belongs to stay.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..values.profile import HEAD, KEY_VALUE_HEAD, QUERY_HEAD, Group
from .coupling import Coupling, Walk
from .groups import solve
from .labels import FIXED, Labelled

TIED = "the query head at the same place in every key-value head, so that all keep equally many"


def with_query_heads(coupling: Coupling, walk: Walk, rated: Collection[str]) -> Coupling:
    """Return the coupling with a group of query heads after each group of key-value heads.

    Args:
        walk: that the coupling comes from; rated: as in `solve`.
    """
    if not walk.ties.has_copied:
        return coupling
    inner_walk = Walk(walk.program, inner=True).run()
    inner = solve(inner_walk, rated)
    inside = _inside(coupling, inner, inner_walk.ties.copies)
    return _both(coupling, inner, inside) if inside else coupling


def _inside(coupling: Coupling, inner: Coupling, copies: Collection[int]) -> dict[str, Group]:
    """Return the query heads inside each group of key-value heads, by the name of that group."""
    inside: dict[str, Group] = {}
    of_copies = set(inner.unit_class[sorted(copies)].tolist())
    for group in inner.groups:
        is_free = group.unit == HEAD and group.frozen is None
        if is_free and of_copies & set(inner.classes[group.name].tolist()):
            outer = _outside(group, coupling.groups)
            inside |= {outer.name: group} if outer else {}
    return inside


def _both(coupling: Coupling, inner: Coupling, inside: Mapping[str, Group]) -> Coupling:
    """Return the coupling with the groups of the inner one that are inside its own, and their labels."""
    groups, classes, offset = [], dict(coupling.classes), len(coupling.unit_class)
    kept = torch.zeros(len(inner.unit_class), dtype=torch.bool)
    for group in coupling.groups:
        own = inside.get(group.name)
        if own is None:
            groups.append(group)
            continue
        name, why = f"{group.name}#queries", (*own.tied_by, TIED)
        groups.append(replace(group, unit=KEY_VALUE_HEAD))
        groups.append(replace(own, name=name, unit=QUERY_HEAD, inside=group.name, tied_by=why))
        classes[name] = inner.classes[own.name] + offset
        kept |= torch.isin(inner.unit_class, inner.classes[own.name])
    values = {name: _joined(one, inner.values[name], kept, offset) for name, one in coupling.values.items()}
    both = torch.cat([coupling.unit_class, inner.unit_class + offset])
    return replace(coupling, unit_class=both, values=values, groups=tuple(groups), classes=classes)


def _outside(group: Group, groups: Collection[Group]) -> Group | None:
    """Return the group of heads that produces at the same place."""
    places = {(slot.tensor, slot.dim) for slot in group.slots if slot.producer}
    heads = (other for other in groups if other.unit == HEAD and other.frozen is None)
    return next((other for other in heads if places & {(s.tensor, s.dim) for s in other.slots}), None)


def _joined(outer: Any, inner: Any, kept: Tensor, offset: int) -> Any:
    """Return a value, or several, with the labels of both walks; of the inner one those that are kept."""
    if isinstance(outer, tuple | list):
        return tuple(_joined(one, other, kept, offset) for one, other in zip(outer, inner, strict=True))
    if not isinstance(outer, Labelled):
        return outer
    marked = [(array, (array >= 0) & kept[array.clamp(min=0)]) for array in inner.arrays]
    own = (torch.where(mark, array + offset, FIXED) for array, mark in marked if bool(mark.any()))
    return replace(outer, arrays=(*outer.arrays, *own))
