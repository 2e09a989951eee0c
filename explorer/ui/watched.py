"""Regions of a page that are drawn anew when a background job has news, while everything that stayed the same is left alone.

A page draws its regions, then the entry script calls `follow`, which puts a small element into the page. While a job runs it
asks for news, often at first and then less; the answer draws only the regions that the news concern. At rest nothing is sent.
"""

import itertools
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from . import elements, session

STATE, TICKER = "watched regions", "ticker"
FIRST_PAUSE_MS, LONGEST_PAUSE_MS, GROWTH = 40.0, 1_500.0, 1.6
REST_MS = 250.0  # after so long a pause the hand rests

_turns = itertools.count(1)


@dataclass(frozen=True)
class Region:
    """What a region showed when it was last drawn.

    Args:
        lanes: that it depends on.
        facet: tells what it would show now.
        progress: it also shows how far the lanes are.
        prompt: it is what the hand waits for.
    """

    lanes: tuple[str, ...]
    facet: Callable[[], Any]
    shown: Any
    progress: bool
    prompt: bool


@dataclass
class _Watch:
    regions: dict[str, Region] = field(default_factory=dict)
    pause: float = FIRST_PAUSE_MS


def _watch() -> _Watch:
    found = session.recalled(STATE)
    if found is None:
        session.remember(STATE, found := _Watch())
    return found


def watched(
    name: str,
    draw: Callable[[], None],
    *lanes: str,
    facet: Callable[[], Hashable] | None = None,
    progress: bool = False,
    prompt: bool = False,
) -> None:
    """Draw a region now, and again whenever one of the lanes has news. Begin the jobs before.

    Args:
        name: of the region, once a page.
        draw: takes nothing.
        facet: what the region shows, cheap to tell; it is drawn anew when this changes. None = any news of the lanes.
        progress: draw it now and then while a lane works, news or not; for small regions.
        prompt: draw it at once after a move; the others follow when the hand rests, so that they don't delay the first number.
    """
    tell = facet or (lambda: tuple(session.versions(lanes).values()))

    @st.fragment(key=name)
    def region() -> None:
        _watch().regions[name] = Region(lanes, tell, tell(), progress, prompt)
        draw()

    region()


def begin() -> None:
    """Forget the regions of the last run; called before a page is drawn."""
    session.remember(STATE, _Watch())


def follow() -> None:
    """Keep the regions of this run up to date; called once, after the page was drawn."""
    if _watch().regions:
        st.fragment(_ticker, key=TICKER)()


def _ticker() -> None:
    watch = _watch()
    data = {"turn": next(_turns), "busy": _busy() or bool(_stale()), "pause": round(watch.pause)}
    elements.draw("ticker", data, key=TICKER, on_tick_change=_answer)


def _answer() -> None:
    """The browser asks for news."""
    watch = _watch()
    watch.pause = min(LONGEST_PAUSE_MS, watch.pause * GROWTH)
    rests = watch.pause > REST_MS or not any(region.prompt for region in watch.regions.values())
    names = [*_stale(prompt=not rests), *(_moving() if rests else [])]
    if names:  # else the ticker alone is drawn, since it asked
        _draw(names)


def refresh(*, prompt: bool = False) -> None:
    """In a callback: draw what is out of date instead of the whole page (at first only what is prompt), and look for news."""
    _draw(_stale(prompt=prompt))


def _draw(names: list[str]) -> None:
    st.rerun(list(dict.fromkeys([*names, TICKER])))


def hurry() -> None:
    """Something was begun whose first news are wanted soon."""
    _watch().pause = FIRST_PAUSE_MS


def _busy() -> bool:
    return any(session.lane_state(lane).busy for region in _watch().regions.values() for lane in region.lanes)


def _stale(*, prompt: bool = False) -> list[str]:
    """What is out of date: everything, or what is wanted at once."""
    regions = _watch().regions.items()
    return [name for name, region in regions if (region.prompt or not prompt) and region.facet() != region.shown]


def _moving() -> list[str]:
    found = [(name, region) for name, region in _watch().regions.items() if region.progress]
    return [name for name, region in found if any(session.lane_state(lane).busy for lane in region.lanes)]
