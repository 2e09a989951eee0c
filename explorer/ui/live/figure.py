"""Figures that follow a job and are redrawn in place: their node, zoom and hover are kept."""

from collections.abc import Hashable
from typing import Any

import streamlit as st

from ...figures.in_parts import empty, in_parts


def bring_plotly() -> None:
    """Load Plotly into the page, invisibly; once per page that has such figures."""
    with st.container(key="plotly"):
        st.plotly_chart(empty(), key="plotly chart", height=1)


def in_place(figure: Any, shown: Hashable, words: str = "") -> dict[str, Any]:
    """Return a figure as data for the element "figure".

    Args:
        figure: of `explorer.figures`.
        shown: what the axes mean; while it is the same, the zoom is kept.
        words: under the figure.
    """
    figure.update_layout(uirevision=str(shown))
    return {**in_parts(figure), "words": words}


def awaited(height: int, waiting: str, words: str = "") -> dict[str, Any]:
    """Return the room of a figure whose numbers are still measured, as data for the element "figure".

    Args:
        height: in pixels, that it will have. waiting: what is measured, in the room. words: under the figure.
    """
    return {"awaited": height, "waiting": waiting, "words": words}
