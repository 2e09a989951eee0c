"""Figures that follow a job and are redrawn in place: their node, their zoom and what is under the pointer
stay.
"""

from collections.abc import Hashable
from typing import Any

import streamlit as st

from ...figures.in_parts import empty, in_parts


def bring_plotly() -> None:
    """What brings Plotly into the page, unseen; once a page that has such figures."""
    with st.container(key="plotly"):
        st.plotly_chart(empty(), key="plotly chart", height=1)


def in_place(figure: Any, shown: Hashable, words: str = "") -> dict[str, Any]:
    """A figure as the element "figure" is told of it.

    Args:
        figure: of `explorer.figures`.
        shown: what the axes mean; while it stays, so does the zoom.
        words: under the figure.
    """
    figure.update_layout(uirevision=str(shown))
    return {**in_parts(figure), "words": words}
