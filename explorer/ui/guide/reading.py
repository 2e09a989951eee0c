"""What is open in the guide: a page, or a search. Kept for the session; the page is in the URL."""

from dataclasses import dataclass

import streamlit as st

from ...guide.markdown_pages import pages
from .. import session

KEPT, KEY = "guide reading", "page"


@dataclass(frozen=True)
class Reading:
    """The open page by its name, and the words of a search, "" = none."""

    page: str
    words: str = ""


def current() -> Reading:
    """Return what is open in this session; at first the page that the URL names, or the first one."""
    now = session.recalled(KEPT)
    if now is None:
        asked = st.query_params.get(KEY, "")
        session.remember(KEPT, now := Reading(asked if asked in pages() else next(iter(pages()))))
    return now


def open_page(name: str) -> None:
    """Open a page, and end the search."""
    session.remember(KEPT, Reading(name))


def search_for(words: str) -> None:
    """Search all pages; without words the page is shown again."""
    session.remember(KEPT, Reading(current().page, words))


def write_url() -> None:
    """Put the page into the URL, so that it can be linked to."""
    if st.query_params.get(KEY) != current().page:
        st.query_params[KEY] = current().page
