"""Drawing on a page: cards, notices, progress. Takes values, returns nothing."""

import html

import streamlit as st

from .metrics import Card

STYLE = """
<style>
.st-key-metrics { position: sticky; top: 0; z-index: 90; background: var(--st-background-color, inherit); padding: 0.25rem 0 0.5rem; }
.block-container { padding-top: 2.5rem; padding-bottom: 3rem; }
</style>
"""


def style() -> None:
    """The few rules that Streamlit has no option for."""
    st.html(STYLE)


def draw_cards(cards: tuple[Card, ...], *, stale: bool = False) -> None:
    """Cards side by side; they wrap where the page is narrow. Stale ones, of an older recipe, don't state a change."""
    with st.container(horizontal=True, gap="medium"):
        for card in cards:
            with st.container(width=190, gap=None):
                st.metric(card.label, card.value, None if stale else card.change, card.colour, help=card.trap)
                st.caption("  \n".join(plain(note) for note in card.notes) if not stale else "of the previous recipe")


def plain(text: str) -> str:
    """Foreign text as Markdown that shows it as it is."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|~$:" else c for c in html.unescape(text))


def draw_share(share: float, words: str) -> None:
    """How far a job is, in one line."""
    st.progress(min(max(share, 0.0), 1.0), plain(words))


def draw_notice(text: str | None) -> None:
    """One box for what went wrong; the recipe is as it was."""
    if text:
        st.error(plain(text), icon=":material/error:")
