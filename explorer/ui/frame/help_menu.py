"""The help menu of every page: the tour, what can be removed, and how to open an own model."""

import html

import streamlit as st

from .. import session
from ..drawing.vector_image import INK, vector_image
from ..sidebar import own_model
from . import tour

# what is removed -> a picture of four by four weights (k = kept, r = removed), and what it means
PICTURES = {
    "Channels": (
        "kkkk rrrr kkkk rrrr",
        "Whole channels are removed: the model becomes smaller and faster.",
    ),
    "Weights": (
        "krkk rkkr kkrk rkrk",
        "Single weights become zero. Shapes stay; only sparse formats shrink.",
    ),
    "Both": ("krkk rrrr kkrk rrrr", "Channels first, then single weights of what is left."),
}
CELL = 12  # pixels


def draw() -> None:
    """A popover with everything that helps."""
    with (
        st.popover("Help", icon=":material/help:", key="help menu", width="content"),
        st.container(width=420),
    ):
        st.button(
            "Take the tour",
            "tour start",
            "Four short steps on the Prune page.",
            lambda: session.remember(tour.STEP, 0),
            icon=":material/explore:",
        )
        st.markdown("**What can be removed**")
        st.html(pictures())
        st.markdown("**Your own model**")
        own_model.draw()


def pictures() -> str:
    """Every kind of pruning as a small picture with a sentence."""
    rows = [
        f"<figure>{picture(rows.split())}<figcaption><b>{name}</b> {html.escape(words)}</figcaption></figure>"
        for name, (rows, words) in PICTURES.items()
    ]
    return f'<div class="kinds">{"".join(rows)}</div>'


def picture(rows: list[str]) -> str:
    """A weight matrix as squares: filled ones stay, outlined ones are removed.

    >>> picture(["kr"]).startswith("<img")
    True
    """
    looks = {"k": f'fill="{INK}"', "r": f'fill="none" stroke="{INK}" stroke-dasharray="2 2"'}
    place = f'width="{CELL - 3}" height="{CELL - 3}"'
    cells = [
        f'<rect x="{x * CELL + 1}" y="{y * CELL + 1}" {place} {looks[kind]}/>'
        for y, row in enumerate(rows)
        for x, kind in enumerate(row)
    ]
    return vector_image("".join(cells), (CELL * len(rows[0]), CELL * len(rows)))
