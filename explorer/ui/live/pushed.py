"""Elements of ours that follow a job without a run of the page: what they show travels in the answer to a
question for news.
"""

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...background.lane import Lane
from ..browser import elements
from . import regions


@dataclass(frozen=True)
class LiveValue:
    """What an element shows, and when it is made again.

    Args:
        make: makes what it shows, JSON; only its parts that changed are sent.
        facet: tells cheaply whether that may have changed.
        lanes: of the jobs that it follows.
        pause: seconds at least between two values.
        patient: it waits until the hand rests, because to make it costs time that the first number needs.
    """

    make: Callable[[], Mapping[str, Any]]
    facet: Callable[[], Hashable]
    lanes: tuple[Lane, ...] = ()
    pause: float = 0.0
    patient: bool = False


@dataclass
class Told:
    """What an element was told last.

    Args:
        source: of what it shows.
        seen: the facet at the last look; value: what was made then; turns: key of the value -> when it
            changed last.
        first: the turn of the first look, so that an empty value is newer than what a browser shows of
            another page or model.
        at: time.monotonic() of the last change.
    """

    source: LiveValue
    seen: Hashable = None
    value: Mapping[str, Any] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)
    first: int = 0
    at: float = float("-inf")

    @property
    def turn(self) -> int:
        """Of the last change; a larger one is newer."""
        return max(self.turns.values(), default=self.first)

    def refresh(self) -> bool:
        """Look whether there is something to tell; True if it has to wait."""
        seen = self.source.facet()
        if seen == self.seen:
            return False
        if time.monotonic() - self.at < self.source.pause or (self.source.patient and not regions.rests()):
            return True
        self.look(seen)
        return False

    def look(self, seen: Hashable) -> None:
        """Make the value again, and note which parts of it are."""
        value, turn = self.source.make(), regions.next_turn()
        self.first = self.first or turn
        changed = [key for key in {*value, *self.value} if value.get(key) != self.value.get(key)]
        if changed:
            self.turns = {**self.turns, **dict.fromkeys(changed, turn)}
            self.at = time.monotonic()
        self.value, self.seen = value, seen

    def since(self, turn: int) -> dict[str, Any]:
        """The parts that are newer; one that is gone is None."""
        return {key: self.value.get(key) for key, changed in dict(self.turns).items() if changed > turn}


def pushed(
    name: str,
    element: str,
    source: LiveValue,
    *,
    key: str | None = None,
    then: Callable[[], None] | None = None,
    **events: Callable[[], None],
) -> None:
    """Draw an element now, and tell it what to show whenever that changes. Begin the jobs before.

    Args:
        name: of the region, once a page; element: one of `elements.ELEMENTS`.
        source: of what it shows.
        key: of the element, under which its messages are found; as the region if None.
        then: called whenever a run of the page has drawn it.
        events: as of `elements.draw`.
    """
    label = key or name

    def draw() -> None:
        before = regions.watch().told.get(label)
        told = replace(before, source=source) if before else Told(source)
        told.look(source.facet())
        regions.watch().told[label] = told
        elements.draw(element, {"name": label, "turn": told.turn, "value": told.value}, key=label, **events)
        if then is not None:
            then()

    regions.watched(name, draw, *source.lanes, facet=source.facet, pushed=True)


def answer(known: Mapping[str, int]) -> dict[str, Any]:
    """What is new for a browser.

    Args:
        known: element -> the turn of what it shows.
    Returns:
        told: element -> turn and the parts of the value that changed; draw: something takes a run of the
            page; busy: ask again.
    """
    found = dict(regions.watch().told)
    waiting = [name for name, told in found.items() if told.refresh()]
    newer = {name: (told.turn, told.since(known.get(name, 0))) for name, told in found.items()}
    fresh = {name: {"turn": turn, "value": value} for name, (turn, value) in newer.items() if value}
    return {"told": fresh, "draw": regions.is_due(), "busy": bool(waiting) or regions.busy()}
