"""One run of a page: the sidebar that all of them share, the head, and the page itself."""

from typing import Any

import streamlit as st

from ..errors import ExplorerError
from . import housekeeping, session
from .drawing import layout
from .frame import attendance, page_head, signing_in
from .live import ticker
from .sidebar import sidebar


def draw(page: Any, name: str) -> None:
    """Draw a page of the menu, or the way in for who has not signed in.

    Args:
        page: what `st.navigation` returned.
    """
    housekeeping.greet()
    if not session.is_signed_in():
        signing_in.draw()
        return
    try:
        with ticker.followed():
            _draw_page(page, name)
    except ExplorerError as error:  # there is no model at all
        layout.draw_notice(str(error))


def _draw_page(page: Any, name: str) -> None:
    try:
        st.set_page_config(f"{page.title} - {session.model_name()}")
        sidebar.draw(with_graph=name not in page_head.OF_NO_MODEL)
        with st.sidebar:
            signing_in.draw_way_out()
        page_head.draw(name, page.title)
        attendance.note(page.title)
        page.run()
    except ExplorerError as error:
        layout.draw_notice(str(error))
