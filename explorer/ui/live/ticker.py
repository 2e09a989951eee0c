"""The element that asks the server for news, and what it draws."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from .. import session
from ..browser import elements
from . import news_route, regions
from .regions import ALL, TICKER

CONTINUE = "continue "  # how a tab that was loaded again names its session of before
ADDRESS = "address"  # the region that writes model and recipe into the page's URL


@contextmanager
def followed() -> Iterator[None]:
    """Keep everything drawn inside up to date from then on: one run of a page.

    The ticker has the same place on every page, so that its message never reaches a page without one.
    """
    run, place = regions.begin(), st.container(key="live")
    try:
        yield
    except Exception:  # a run that is replaced by another one ends in other ways
        run.is_complete = True
        raise
    with place:
        regions.watched(ADDRESS, session.write_url, facet=session.address)
        run.is_complete = True
        news_route.open_for_questions()
        st.fragment(_ticker, key=TICKER)()


def _ticker() -> None:
    secret, _, taken = session.stamp()
    # a short job may have ended since its elements were drawn; a browser whose questions come through is told
    busy = regions.busy() or bool(regions.stale(pushed=True))
    data = {"number": regions.next_turn(), "busy": busy, "session": secret, "taken": taken}
    elements.draw("ticker", data, key=TICKER, on_tick_change=_answer)


def _answer() -> None:
    """Handle the browser's message that something is to be drawn; on a page without other news it asks for
    everything.
    """
    asked = session.event(TICKER, "tick")
    if isinstance(asked, str) and asked.startswith(CONTINUE):
        if session.take_place(asked.removeprefix(CONTINUE)):
            st.rerun()
        return
    if regions.watch().is_outdated:
        st.rerun()
    names = regions.stale(pushed=asked == ALL)
    if regions.is_time_for_progress():
        names += regions.moving()
    if names:  # otherwise only the ticker is drawn, since it asked
        regions.draw(names)
