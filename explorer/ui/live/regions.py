"""Regions of a page that are drawn again when a background job has news, while all that stayed the same is
left alone.

A page draws its regions, then the entry script calls `follow`, which puts a small element into the page.
While a job runs the browser asks for news (`news.py`). What our own elements show comes with the answer
(`pushed.py`); regions of Streamlit's elements take a run of their own, so they wait until the hand rests. At
rest nothing is sent.
"""

import itertools
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from ...background.lane import Lane
from .. import session

STATE, TICKER, ALL = "watched regions", "ticker", "all"
REST_S = 0.6  # after so long without a move the hand rests
PATIENCE_S = 2.0  # so long regions wait for the live measurement, to be drawn once instead of twice
PROGRESS_S = 1.5  # between two looks at how far a job is

_turns = itertools.count(time.time_ns() // 1_000_000)  # a server that was started again goes on counting


@dataclass(frozen=True)
class Region:
    """What a region showed when it was last drawn.

    Args:
        lanes: that it depends on.
        facet: tells what it would show now.
        progress: it also shows how far the lanes are.
        pushed: its element is told what it shows without a run of the page.
    """

    lanes: tuple[Lane, ...]
    facet: Callable[[], Any]
    shown: Any
    progress: bool
    pushed: bool


@dataclass
class Watch:
    """The regions of a page, and what its pushed elements were told."""

    regions: dict[str, Region] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)  # name -> pushed.Told
    moved: float = float("-inf")  # time.monotonic() of the last move
    ticked: float = float("-inf")  # and of the last drawing


def watch() -> Watch:
    """That of the page which the session shows."""
    found = session.recalled(STATE)
    if found is None:
        session.remember(STATE, found := Watch())
    return found


def next_turn() -> int:
    """A number that is larger than all before."""
    return next(_turns)


def watched(
    name: str,
    draw: Callable[[], None],
    *lanes: Lane,
    facet: Callable[[], Hashable] | None = None,
    progress: bool = False,
    pushed: bool = False,
) -> None:
    """Draw a region now, and again whenever one of the lanes has news. Begin the jobs before.

    Args:
        name: of the region, once a page.
        draw: takes nothing.
        facet: what the region shows, cheap to tell; it is drawn again when this changes. None = any news of
            the lanes.
        progress: draw it now and then while a lane works, news or not; for small regions.
        pushed: the region is an element that is told what it shows by itself.
    """
    tell = facet or (lambda: tuple(session.versions(lanes).values()))

    @st.fragment(key=name)
    def region() -> None:
        watch().regions[name] = Region(lanes, tell, tell(), progress, pushed)
        draw()

    region()


def refresh() -> None:
    """In a callback: draw what is out of date instead of the whole page, and look for news."""
    draw(stale())


def draw_now(*names: str) -> None:
    """In a callback: draw these regions instead of the one that it belongs to."""
    draw([name for name in names if name in _regions()])


def draw(names: list[str]) -> None:
    watch().ticked = time.monotonic()
    st.rerun(list(dict.fromkeys([*names, TICKER])))


def hurry() -> None:
    """Something was begun whose first news are wanted soon: nothing else is drawn until the hand rests."""
    watch().moved = time.monotonic()


# --------------------------------------------------------------------------- what there is to draw


def is_due() -> bool:
    """Something takes a run of the page now."""
    return (rests() and bool(stale())) or (is_time_for_progress() and bool(moving()))


def is_time_for_progress() -> bool:
    return time.monotonic() - watch().ticked >= PROGRESS_S


def rests() -> bool:
    """No move was made for a while, and what it asked for is there or takes long."""
    since = time.monotonic() - watch().moved
    return since >= PATIENCE_S or (since >= REST_S and not session.lane_state(session.LIVE_LANE).busy)


def busy() -> bool:
    """There are or will be news."""
    return any(
        session.lane_state(lane).busy for region in _regions().values() for lane in region.lanes
    ) or bool(stale())


def _regions() -> dict[str, Region]:
    return dict(watch().regions)  # a copy, since a run of the page may go on in another thread


def stale(*, pushed: bool = False) -> list[str]:
    """What is out of date; elements that are told by themselves are left out unless they are asked for."""
    found = _regions().items()
    return [
        name for name, region in found if (pushed or not region.pushed) and region.facet() != region.shown
    ]


def moving() -> list[str]:
    found = [(name, region) for name, region in _regions().items() if region.progress and not region.pushed]
    return [name for name, region in found if any(session.lane_state(lane).busy for lane in region.lanes)]
