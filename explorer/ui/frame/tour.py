"""The first minute: a line that says what to do, three doors, and a tour of four steps that can be left."""

from typing import Any

import streamlit as st

from .. import session
from ..drawing import links
from ..prune.starting_points import begin_with
from ..sidebar import own_model

STEP, WELCOMED = "tour step", "welcome"
SEEN, DISMISSED = "seen", "dismissed"
WELCOME = "**New here?** Drag a fader up, or begin with:"
NEXT = "**Next:** win back a bad drop, keep this run to compare it, or take the smaller model away."
STEPS = (
    "**Drag any fader up.** You remove that share of the layer's channels.",
    "**Watch the numbers.** Accuracy falls, and so do size and compute. The star on the curve is your model.",
    "**Win it back.** After a bad drop, press *Win it back* under the numbers; *Recover* trains further.",
    "**Take it away.** *Keep this run* saves the numbers, *Take away* writes the smaller model as a file.",
)
ICONS = (":material/swipe_up:", ":material/monitoring:", ":material/healing:", ":material/download:")


def draw() -> None:
    """The tour if it was begun, else the welcome, and what comes next once something is removed, until it is
    dismissed. The place is kept when it is empty, since a page whose elements change places draws its faders
    again.
    """
    step, state = session.recalled(STEP), session.recalled(WELCOMED)
    with st.container(key="first minute place"):
        if step is not None:
            _draw_step(step)
        elif state == DISMISSED:
            pass
        elif session.recipe().is_empty:
            session.remember(WELCOMED, SEEN)
            _draw_welcome()
        elif state == SEEN:  # a line in its place, so that nothing moves
            with _line():
                st.markdown(f":material/flag: {NEXT}")
                _draw_tour_and_close()


def _line() -> Any:
    return st.container(horizontal=True, vertical_alignment="center", gap="small", key="first minute")


def _draw_step(step: int) -> None:
    with _line():
        st.markdown(f"{ICONS[step]} {step + 1} of {len(STEPS)}: {STEPS[step]}")
        if step:
            st.button("Back", "tour back", on_click=_go, args=(step - 1,), type="tertiary")
        if step + 1 < len(STEPS):
            st.button("Next", "tour next", on_click=_go, args=(step + 1,), type="primary")
        st.button("End the tour", "tour end", on_click=_go, args=(None,), type="tertiary")


def _go(step: int | None) -> None:
    session.remember(STEP, step)
    session.remember(WELCOMED, DISMISSED)


def _draw_welcome() -> None:
    with _line():
        st.markdown(f":material/swipe_up: {WELCOME}")
        with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
            links.link("learn", "First lesson", ":material/school:")
            st.button(
                "Try a gentle cut",
                "door preset",
                "A third of the parameters is removed, and the accuracy stays.",
                lambda: session.attempt(begin_with, "gentle"),
                icon=":material/bolt:",
            )
            with st.popover("My own model", icon=":material/upload_file:"), st.container(width=420):
                own_model.draw()
            _draw_tour_and_close()


def _draw_tour_and_close() -> None:
    st.button(
        "Tour", "door tour", "Four short steps.", lambda: _go(0), type="tertiary", icon=":material/explore:"
    )
    st.button("", "door close", "Dismiss", lambda: _go(None), type="tertiary", icon=":material/close:")
