"""Undo and redo."""

from collections.abc import Callable

import streamlit as st

from ...values.recipe import Recipe
from .. import session
from ..live import regions

RESET_HELP = "Every fader to 0 %, every option to its default; you can undo this."


def draw_undo() -> None:
    """Draw undo, redo and reset with their keyboard shortcuts, kept up to date."""
    regions.watched("undo", _undo, facet=session.history)


def _then(action: Callable[[], None]) -> Callable[[], None]:
    """Run the action, then redraw the whole page: options may have changed too."""

    def act() -> None:
        action()
        regions.hurry()
        st.rerun()

    return act


def _undo() -> None:
    with st.container(horizontal=True, width="content", gap="small", key="undo row"):
        _undo_buttons()


def _undo_buttons() -> None:
    line = session.history()
    back = f"Undo: {line.present.why}" if line.past else "Nothing to undo"
    again = f"Redo: {line.future[0].why}" if line.future else "Nothing to redo"
    button = st.button
    button(
        "Undo",
        "undo",
        back,
        _then(session.undo),
        disabled=not line.past,
        icon=":material/undo:",
        shortcut="Ctrl+Z",
    )
    button(
        "Redo",
        "redo",
        again,
        _then(session.redo),
        disabled=not line.future,
        icon=":material/redo:",
        shortcut="Ctrl+Y",
    )
    dense = session.recipe() == Recipe()
    reset = _then(lambda: session.set_recipe(Recipe(), "reset"))
    button("Reset", "reset", RESET_HELP, reset, disabled=dense, icon=":material/restart_alt:")
