"""Regions of a page that are drawn again when a background job has news, while the rest is left alone.

A page draws its regions, and `ticker.py` puts a small element into it that asks for news (`news_route.py`).
Data for our own elements is in the answer (`pushed.py`); regions of Streamlit's elements need a run of the
page, so they wait until the hand rests. At rest nothing is sent.
"""

import itertools
import time
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from ...background.lane import Lane
from .. import session

STATE, TICKER, ALL = "watched regions", "ticker", "all"
REST_S = 0.6  # after this time without a move the hand rests
PATIENCE_S = 2.0  # regions wait this long for the live measurement, to be drawn once instead of twice
PROGRESS_S = 1.5  # between two looks at the progress of a job

_turns = itertools.count(1)


@dataclass(frozen=True)
class Region:
    """What a region showed when it was last drawn.

    Args:
        lanes: that it depends on.
        facet: returns what it would show now.
        progress: it also shows the progress of the lanes.
        pushed: its element is sent what it shows without a run of the page.
    """

    lanes: tuple[Lane, ...]
    facet: Callable[[], Any]
    shown: Any
    progress: bool
    pushed: bool

    @property
    def is_stale(self) -> bool:
        return bool(self.facet() != self.shown)

    @property
    def is_busy(self) -> bool:
        return any(session.lane_state(lane).busy for lane in self.lanes)


@dataclass
class Watch:
    """The regions of one run of a page.

    Args:
        followed: label -> pushed.Followed, for the elements that are sent what they show.
        is_complete: all of them were drawn once; until then there is always news to come.
        is_outdated: all of the page is, because an edit of the page before it came late.
        moved: time.monotonic() of the last move. ticked: and of the last drawing.
    """

    regions: dict[str, Region] = field(default_factory=dict)
    followed: dict[str, Any] = field(default_factory=dict)
    is_complete: bool = False
    is_outdated: bool = False
    moved: float = float("-inf")
    ticked: float = float("-inf")


# of this thread's run: a run that was replaced by another must not draw into the other's regions
_run: ContextVar[Watch | None] = ContextVar("the regions of this run", default=None)


def begin() -> Watch:
    """Forget the regions of the last run; called before a page is drawn."""
    made = Watch(moved=watch().moved)
    session.remember(STATE, made)
    _run.set(made)
    return made


def watch() -> Watch:
    """Return the regions of this run, or of the page that the session shows."""
    found = _run.get() or session.recalled(STATE)
    if found is None:
        session.remember(STATE, found := Watch(is_complete=True))
    return found


def next_turn() -> int:
    """Return a number that is larger than all before."""
    return next(_turns)


def watched(
    name: str,
    draw: Callable[[], None],
    *lanes: Lane,
    facet: Callable[[], Hashable] | None = None,
    progress: bool = False,
    pushed: bool = False,
) -> None:
    """Draw a region now, and again whenever one of the lanes has news. Start the jobs before.

    Args:
        name: of the region, unique on the page.
        draw: takes no arguments.
        facet: returns cheaply what the region shows; it is drawn again when this changes. None = any news of
            the lanes.
        progress: draw it from time to time while a lane works, news or not; for small regions.
        pushed: the region is an element that is sent what it shows separately.
    """
    tell, own = facet or (lambda: tuple(session.versions(lanes).values())), watch()

    @st.fragment(key=name)
    def region() -> None:
        own.regions[name] = Region(lanes, tell, tell(), progress, pushed)
        draw()

    region()


def refresh() -> None:
    """In a callback: draw what is out of date instead of the whole page, and look for news."""
    draw(stale())


def draw_stale(*names: str) -> None:
    """In a callback: draw the given regions if they are out of date, instead of the callback's own region."""
    found = _regions()
    draw([name for name in names if name in found and found[name].is_stale])


def draw(names: list[str]) -> None:
    """In a callback: draw these regions. If the user has left the page meanwhile, draw the current page."""
    watch().ticked = time.monotonic()
    try:
        st.rerun(list(dict.fromkeys([*names, TICKER])))
    except StreamlitAPIException:
        st.rerun()


def hurry() -> None:
    """Draw nothing else until the hand rests, because something was started whose first news is wanted
    soon.
    """
    watch().moved = time.monotonic()


# --------------------------------------------------------------------------- what there is to draw


def is_due() -> bool:
    """Whether something needs a run of the page now."""
    if not watch().is_complete:
        return False
    return watch().is_outdated or (rests() and bool(stale())) or (is_time_for_progress() and bool(moving()))


def is_time_for_progress() -> bool:
    return time.monotonic() - watch().ticked >= PROGRESS_S


def rests() -> bool:
    """Whether there was no move for a while, and the result of the last one is there or takes long."""
    since = time.monotonic() - watch().moved
    return since >= PATIENCE_S or (since >= REST_S and not session.lane_state(session.LIVE_LANE).busy)


def busy() -> bool:
    """Whether there is or will be news."""
    found = _regions().values()
    return not watch().is_complete or any(region.is_busy for region in found) or bool(stale())


def _regions() -> dict[str, Region]:
    return dict(watch().regions)  # a copy, since a run of the page may continue in another thread


def stale(*, pushed: bool = False) -> list[str]:
    """Return what is out of date; elements that are sent separately are left out unless requested."""
    found = _regions().items()
    return [name for name, region in found if (pushed or not region.pushed) and region.is_stale]


def moving() -> list[str]:
    """Return what shows the progress of a lane that works now."""
    found = _regions().items()
    return [name for name, region in found if region.progress and not region.pushed and region.is_busy]
