"""The element that asks the server for news."""

import streamlit as st

from .. import session
from ..browser import elements
from . import news_route
from .regions import (
    ALL,
    STATE,
    TICKER,
    Watch,
    busy,
    draw,
    is_time_for_progress,
    moving,
    next_turn,
    stale,
    watch,
)


def begin() -> None:
    """Forget the regions of the last run; called before a page is drawn."""
    session.remember(STATE, Watch())


def follow() -> None:
    """Keep the regions of this run up to date; called once, after the page was drawn."""
    if watch().regions:
        news_route.open_for_questions()
        st.fragment(_ticker, key=TICKER)()


def _ticker() -> None:
    data = {"number": next_turn(), "busy": busy(), "path": news_route.path(), "page": news_route.page()}
    elements.draw("ticker", data, key=TICKER, on_tick_change=_answer)


def _answer() -> None:
    """The browser says that something is to be drawn; it asks for all where a page has no news
    without a run.
    """
    names = stale(pushed=session.event(TICKER, "tick") == ALL)
    if is_time_for_progress():
        names += moving()
    if names:  # else the ticker alone is drawn, since it asked
        draw(names)
