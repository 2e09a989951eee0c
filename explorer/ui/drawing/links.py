"""Links from page to page, which keep the session."""

import streamlit as st
from streamlit.errors import StreamlitAPIException

from ...machine import paths


def link(page: str, label: str, icon: str) -> None:
    """A link to a page by the name of its file; nothing where the server does not offer that page."""
    try:
        st.page_link(paths.pages().resolve() / f"{page}.py", label=label, icon=icon, width="content")
    except StreamlitAPIException:
        return
