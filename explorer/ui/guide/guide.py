"""The Guide page: choose a page of the guide, or search all of them."""

import streamlit as st

from ...guide.markdown_pages import GuideHit, GuidePage, anchor, pages, search, shown
from .. import session
from ..drawing import layout
from ..drawing.offers import ShownOffer
from . import reading

SHARES = (1, 3.4)  # of the width: the list of pages, and the text
MOST_HITS = 20


def draw() -> None:
    """Draw the page: the list and the search at the left, next to what was selected or found."""
    now = reading.current()
    with st.container(key="guide pages"):
        choice, text = st.columns(SHARES, gap="large")
    with choice:
        _draw_choice(now)
    with text:
        if now.words.strip():
            _draw_hits(now.words)
        else:
            _draw_page(pages()[now.page])
    reading.write_url()


def _draw_choice(now: reading.Reading) -> None:
    st.text_input(
        "Search the guide",
        key=session.show("guide search", now.words),
        on_change=_search,
        placeholder="such as held-out data",
        max_chars=100,
    )
    titles = {name: page.title for name, page in pages().items()}
    ShownOffer("guide page", titles, now.page, reading.open_page).as_radio("Pages")


def _search() -> None:
    reading.search_for(session.picked("guide search") or "")


def _draw_page(page: GuidePage) -> None:
    first, *others = page.sections
    st.header(first.heading, anchor=False)
    st.caption("On this page: " + " · ".join(f"[{s.heading}](#{anchor(s.heading)})" for s in others))
    st.markdown(shown(first))
    for section in others:
        st.markdown(f"#### {section.heading}\n\n{shown(section)}")


def _draw_hits(words: str) -> None:
    hits = search(words)
    if not hits:
        st.info("No page has all of these words. Try fewer words, or only the beginning of a word.")
        return
    st.caption(f"{len(hits)} sections found" if len(hits) > 1 else "One section found")
    for place, hit in enumerate(hits[:MOST_HITS]):
        _draw_hit(place, hit)
    if len(hits) > MOST_HITS:
        st.caption(f"The first {MOST_HITS} are shown. Add a word to see fewer.")


def _draw_hit(place: int, hit: GuideHit) -> None:
    is_first = hit.section is hit.page.sections[0]
    label = hit.page.title if is_first else f"{hit.page.title} › {hit.section.heading}"
    with st.container(gap=None):
        st.button(
            label,
            f"guide hit {place}",
            on_click=reading.open_page,
            args=(hit.page.name,),
            type="tertiary",
            icon=":material/article:",
        )
        st.caption(layout.plain(hit.excerpt))
