"""What the page shows in place of the model before, while another one is loaded and read."""

import html
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from .. import session
from ..shared import models

BONES = (5, 1, 8)  # numbers, the toolbar, faders


@contextmanager
def opening() -> Iterator[None]:
    """Load the shown model at the end of the block, which draws what chooses another one.

    Meanwhile a sketch takes the place of all else on the page. The place itself is always there, so that
    nothing below it changes its own.

    Raises:
        ExplorerError: it cannot be loaded.
    """
    place, name = st.empty(), session.model_name()
    yield
    if models.is_open_already(name):
        return
    try:
        with place.container(key="opening"):
            st.html(sketch(session.models()[name]))
            session.model()
    finally:
        place.empty()


def sketch(name: str) -> str:
    """
    >>> sketch("a<b").count("<i>"), "a&lt;b" in sketch("a<b")
    (14, True)
    """
    rows = "".join(f"<div>{'<i></i>' * count}</div>" for count in BONES)
    return f'<div class="opening" role="status"><p>Opening <b>{html.escape(name)}</b> …</p>{rows}</div>'
