"""Our own elements that follow a job without a run of the page: the answer to a question for news contains
what they show, and the question what the user did to them.
"""

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from ...background.lane import Lane
from ...values.plain import finite
from .. import session
from ..browser import elements
from . import regions
from .protocol import NewsQuestion, Told, parts

TOLD, TAKERS = "told elements", "takers of edits"


@dataclass(frozen=True)
class LiveValue:
    """What an element shows, and when it is computed again.

    Args:
        element: one of `elements.ELEMENTS`.
        make: computes the value, JSON; only changed parts are sent.
        facet: returns cheaply whether the value may have changed.
        lanes: of the jobs that it follows.
        pause: minimum number of seconds between two values.
        patient: it waits until the hand rests, because computing it takes time that the first number needs.
        key: of the element, under which its messages are found; that of the region if None.
        take: called with an edit that came with a question, even after the user left the page.
    """

    element: str
    make: Callable[[], Mapping[str, Any]]
    facet: Callable[[], Hashable]
    lanes: tuple[Lane, ...] = ()
    pause: float = 0.0
    patient: bool = False
    key: str | None = None
    take: Callable[[Any], object] | None = None


@dataclass
class Followed:
    """An element of the page that is sent what it shows.

    Args:
        source: of what it shows. sent: what it was sent in this session.
        seen: the facet at the last look. at: time.monotonic() of the last change.
    """

    source: LiveValue
    sent: Told
    seen: Hashable = None
    at: float = float("-inf")

    def refresh(self) -> bool:
        """Look whether there is something to send; return True if it has to wait."""
        seen = self.source.facet()
        if seen == self.seen:
            return False
        hurries = time.monotonic() - self.at < self.source.pause
        if hurries or (self.source.patient and not regions.rests()):
            return True
        self.look(seen)
        return False

    def look(self, seen: Hashable) -> None:
        """Compute the value, and record which parts of it are new; a browser reads no NaN."""
        if self.sent.tell(finite(self.source.make()), regions.next_turn()):
            self.at = time.monotonic()
        self.seen = seen


def pushed(name: str, value: LiveValue, **events: Callable[[], None]) -> None:
    """Draw an element now, and send it what to show whenever that changes. Start the jobs before.

    Args:
        name: of the region, unique on the page.
        value: what it shows.
        events: as of `elements.draw`.
    """
    label, own = value.key or name, regions.watch()
    followed = Followed(value, _told(label))
    if value.take is not None:
        session.remember(TAKERS, {**session.recalled(TAKERS, {}), label: value.take})

    def draw() -> None:
        followed.look(value.facet())
        own.followed[label] = followed
        sent = followed.sent
        data = {"name": label, "session": session.stamp()[0], "turn": sent.turn, "value": sent.value}
        elements.draw(value.element, data, key=label, **events)

    regions.watched(name, draw, *value.lanes, facet=value.facet, pushed=True)


def _told(label: str) -> Told:
    """Return what the session has sent to an element, on whichever page it was."""
    known: dict[str, Told] = session.recalled(TOLD, {})
    session.remember(TOLD, known)
    return known.setdefault(label, Told())


def take(question: NewsQuestion) -> None:
    """Take the edit of a question; the element knows whether it has come before."""
    taker = session.recalled(TAKERS, {}).get(question.of)
    if taker is not None and question.edit is not None:
        taker(question.edit)


def answer(known: Mapping[str, int]) -> dict[str, Any]:
    """Return what is new for a browser.

    Args:
        known: element -> the turn of what it shows.
    Returns:
        told: element -> turn and the parts of the value that changed; taken: the last edit that the server
            has;
        draw: something needs a run of the page; busy: ask again.
    """
    found = dict(regions.watch().followed)
    waiting = [name for name, followed in found.items() if followed.refresh()]
    fresh = parts({name: followed.sent for name, followed in found.items()}, known)
    busy = bool(waiting) or regions.busy()
    return {"told": fresh, "taken": session.stamp()[2], "draw": regions.is_due(), "busy": busy}
