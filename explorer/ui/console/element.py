"""The fader console as a Streamlit element: registered once, drawn from a value, its script and style beside this file."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from .model import ConsoleData

HERE = Path(__file__).parent
HTML = '<div class="console"><div class="totals" aria-live="off"></div><div class="banks"></div><div class="detail"></div></div>'
SCRIPTS = ("cost.js", "strip.js", "bank.js", "console.js")  # one module: the last one exports the renderer


def _script() -> str:
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)


_console = st.components.v2.component(
    "pruning_explorer_console", html=HTML, css=(HERE / "console.css").read_text(encoding="utf-8"), js=_script()
)


def draw_console(data: ConsoleData, *, key: str, on_edit: Callable[[], None]) -> None:
    """Draw the console; `on_edit` is called before the next run, when session.event(key, "edit") holds the message."""
    _console(key=key, data=data.to_json(), on_edit_change=on_edit)
