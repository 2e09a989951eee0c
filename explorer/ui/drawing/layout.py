"""Drawing on a page: style, notices, progress. Takes values, returns nothing."""

import html
import re

import streamlit as st

from ...errors import is_crash

STYLE = """
<style>
.stMainBlockContainer { padding: 2.5rem 2.5rem 3rem; }
@media (max-width: 900px) { .stMainBlockContainer { padding: 2.5rem 1rem 3rem; } }
.st-key-cards > div { flex: 1 1 8rem; min-width: 0; }
.st-key-cards { min-height: 8.4rem; }
@media (min-width: 1000px) and (min-height: 800px) {
  div:has(> .st-key-metrics) {
    position: sticky; top: 0; z-index: 90; padding-top: 0.75rem; background: light-dark(#ffffff, #171614);
  }
}
.st-key-cards [data-testid="stMetricValue"] { font-size: 1.6rem; line-height: 1.3; }
.st-key-cards [data-testid="stCaptionContainer"] p { font-size: 0.75rem; line-height: 1.35; }
.st-key-plotly, .st-key-shelf, .st-key-live, [class*="st-key-value-"],
[data-testid="stElementContainer"]:has(> .st-key-shelf) {
  position: absolute; height: 0; overflow: hidden;
}
[data-testid="stLayoutWrapper"]:has(
  > [data-testid="stVerticalBlock"] > [data-testid="stLayoutWrapper"] > .st-key-undo-row
),
[data-testid="stVerticalBlock"]:has(> [data-testid="stLayoutWrapper"] > .st-key-undo-row) {
  flex: none; width: max-content;
}
[data-testid="stCaptionContainer"] { color: light-dark(#62636c, #a3a19c); opacity: 1; }
[data-testid="stBaseButton-primary"], [data-testid="stMultiSelectTagsContainer"] > * {
  color: light-dark(#ffffff, #0c1a2e);
}
[data-older-numbers] [class*="st-key-below"] { opacity: 0.5; }
[class*="st-key-below"] [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"]) { flex-wrap: wrap; }
[class*="st-key-below"] [data-testid="stColumn"] { min-width: min(27rem, 100%); }
@media (max-width: 1000px) {
  [data-testid="stTable"] table { table-layout: fixed; width: 100%; font-size: 0.75rem; }
  [data-testid="stTable"] :is(th, td) { padding: 0.3rem; overflow-wrap: anywhere; }
}
</style>
"""


def style() -> None:
    """Draw the few style rules that Streamlit has no option for."""
    st.html(STYLE)


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


def draw_notice(text: str | None) -> None:
    """Draw one amber box that says what was refused, and why. Red is only for faults of the program."""
    if text and is_crash(text):
        st.error(plain(text), icon=":material/error:")
    elif text:
        st.warning(plain(text), icon=":material/block:")
