"""Draws a large model small: modules are folded into one box each, and unfolded while all boxes still fit."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from .wiring import Place, Wiring

ROOM = 36  # boxes that are readable on one page


@dataclass(frozen=True)
class Box:
    """What is drawn as one: a single place, or a folded module with its places.

    Args:
        name: of the place or module.
        module: the unfolded module that it is drawn in, "" at the top.
    """

    name: str
    module: str
    places: tuple[Place, ...]
    folded: bool


def ancestors(module: str) -> list[str]:
    """Return a module and those around it, outermost first.

    >>> ancestors("a.b")
    ['a', 'a.b']
    """
    parts = module.split(".") if module else []
    return [".".join(parts[: k + 1]) for k in range(len(parts))]


def modules(wired: Wiring) -> tuple[str, ...]:
    """Return every module that has at least two places, in the order of the graph: those that can be
    folded.
    """
    held: dict[str, int] = {}
    for place in wired.places:
        for module in ancestors(place.module):
            held[module] = held.get(module, 0) + 1
    return tuple(module for module, count in held.items() if count > 1)


def fold(wired: Wiring, unfolded: Collection[str]) -> tuple[tuple[Box, ...], tuple[tuple[str, str], ...]]:
    """Return the boxes in the order of the graph, and the connections between them."""
    foldable = set(modules(wired))
    inside: dict[str, str] = {}  # place -> its box
    held: dict[str, list[Place]] = {}
    for place in wired.places:
        box = next((m for m in ancestors(place.module) if m in foldable and m not in unfolded), place.name)
        inside[place.name] = box
        held.setdefault(box, []).append(place)
    boxes = tuple(_box(name, places, foldable) for name, places in held.items())
    ways = dict.fromkeys((inside[a], inside[b]) for a, b in wired.ways if inside[a] != inside[b])
    return boxes, tuple(ways)


def _box(name: str, places: list[Place], foldable: set[str]) -> Box:
    folded = name in foldable and places[0].name != name
    around = name.rpartition(".")[0] if folded else places[0].module
    drawn_in = [module for module in ancestors(around) if module in foldable]
    return Box(name, drawn_in[-1] if drawn_in else "", tuple(places), folded)


def suggested(wired: Wiring, room: int = ROOM) -> frozenset[str]:
    """Return the modules to unfold so that at most `room` boxes are drawn: all of one depth, so that similar
    modules look alike.

    If that leaves the page nearly empty, the smaller modules of the next depth are unfolded as far as there
    is room.
    """
    opened: frozenset[str] = frozenset()
    by_depth: dict[int, list[str]] = {}
    for module in modules(wired):
        by_depth.setdefault(module.count("."), []).append(module)
    for depth in sorted(by_depth):
        more = opened | set(by_depth[depth])
        if len(fold(wired, more)[0]) > room:
            sparse = len(fold(wired, opened)[0]) < room / 3
            return _as_many(wired, opened, by_depth[depth], room) if sparse else opened
        opened = more
    return opened


def _as_many(wired: Wiring, opened: frozenset[str], waiting: Iterable[str], room: int) -> frozenset[str]:
    def boxes(module):
        return len(fold(wired, opened | {module})[0])

    for module in sorted(waiting, key=boxes):
        if len(fold(wired, opened | {module})[0]) <= room:
            opened = opened | {module}
    return opened


def with_surroundings(chosen: Iterable[str]) -> frozenset[str]:
    """Return the chosen modules with all those around them: a module can only be unfolded inside unfolded
    ones.

    >>> sorted(with_surroundings(["layer1.0"]))
    ['layer1', 'layer1.0']
    """
    return frozenset(module for name in chosen for module in ancestors(name))
