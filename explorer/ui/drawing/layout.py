"""Drawing on a page: style, notices, progress. Takes values, returns nothing."""

import html
import re
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from ...errors import is_crash
from ...values.progress import Progress
from .words import shortened

NOTHING = "–"  # in a table, where there is no value
STYLE = (Path(__file__).with_name("page.css")).read_text(encoding="utf-8")


def style() -> None:
    """Draw the few rules that Streamlit has no option for."""
    st.html(f"<style>\n{STYLE}</style>")


def plain(text: str) -> str:
    """Return foreign text as Markdown that shows it literally."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|~$:" else c for c in html.unescape(text))


def unbroken(text: str) -> str:
    """Return text that never breaks a line between a number and its unit.

    >>> unbroken("at 20 %") == "at 20\\u00a0%"
    True
    """
    return re.sub(r"(?<=\d) (?=%|points|×|k\b)", "\u00a0", text)


def draw_share(share: float, words: str) -> None:
    """Draw the progress of a job, in one line."""
    st.progress(min(max(share, 0.0), 1.0), plain(words))


def draw_count(now: Progress | None, of: str = "of") -> None:
    """Draw how much of a job's work is done, or that it waits.

    Args:
        of: the words before how much there is in all, such as "of about".
    """
    share = now.done / now.total if now and now.total else 0.0
    draw_share(share, f"{now.label}: {now.done:,} {of} {now.total:,}" if now else "Waiting for its turn")


def draw_room(words: str, rem: float) -> None:
    """Draw the room of what is still measured, so high, with one line that says what that is."""
    st.html(f'<div class="awaited-room" style="height: {rem}rem" role="status">{html.escape(words)}</div>')


def draw_touched(layers: Sequence[str]) -> None:
    """Draw which layers a group touches: of many the first, and all of them once it is opened."""
    short = shortened(layers)
    st.caption(plain(f"Touches {short}."))
    if short != ", ".join(layers):
        with st.expander(f"All {len(layers):,} layers"):
            st.caption(plain(", ".join(layers)))


def draw_notice(text: str | None) -> None:
    """Draw one amber box that says what was refused, and why. Red is only for faults of the program."""
    if text and is_crash(text):
        st.error(plain(text), icon=":material/error:")
    elif text:
        st.warning(plain(text), icon=":material/block:")
