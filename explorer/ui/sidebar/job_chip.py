"""What runs in the background, on every page: how far it is, a button to stop it, and the way to its page."""

from collections.abc import Hashable

import streamlit as st

from ...background.lane import Lane
from .. import session
from ..drawing import layout, links
from ..drawing.words import place_words
from ..live import regions
from ..shared import models

# lane -> what runs there, and the page that shows it; short work is left out
LONG_WORK = {
    "recovery": ("Recovery", "recover"),
    "fair controls": ("Fair controls", "recover"),
    "recovery curve": ("Curve of recovery", "recover"),
    "scan": ("Sensitivity scan", "prune"),
    "blocks": ("Measuring blocks", "prune"),
    "search": ("Search", "prune"),
    "budget": ("Search for the smallest model", "prune"),
    "staircase": ("Timing of widths", "prune"),
    "latency plan": ("Latency plan", "prune"),
    "export": ("File", "prune"),
    "held-out check": ("Held-out check", "prune"),
}
ICON = ":material/arrow_forward:"


def draw() -> None:
    """Draw a line for each long piece of work that runs in this session."""
    lanes = _long()
    regions.watched("jobs", _draw, *lanes, facet=_busy, progress=True)


def _long() -> list[Lane]:
    return [lane for lane in models.lanes().used(session.identity()) if lane.name in LONG_WORK]


def _busy() -> Hashable:
    return tuple(lane.name for lane in _long() if session.lane_state(lane).busy)


def _draw() -> None:
    for lane in _long():
        state, (words, page) = session.lane_state(lane), LONG_WORK[lane.name]
        if not state.busy:
            continue
        done = state.progress
        share = done.done / done.total if done and done.total else 0.0
        place = f" · {place_words(state.ahead)}" if state.ahead else ""
        layout.draw_share(share, f"{words}: {share * 100:.0f} %{place}")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button("Stop", f"stop job {lane.name}", on_click=session.cancel, args=(lane, state.key))
            links.link(page, "Show it", ICON)
