"""The Recover page while nothing is removed: a sketch of what will be there, and recipes to begin with."""

import streamlit as st

from ..drawing import sketches
from ..prune import starting_points

EMPTY = (
    "**Nothing is removed yet**, so there is nothing to win back. Begin with one of these recipes, or drag "
    "faders on the **Prune** page; then train here what is left."
)
SKETCHED = "A sketch: quality that rises with each epoch, towards the line of the dense model"
CAPTION = "A sketch of what you will see: quality upwards, epochs of training to the right."


def draw() -> None:
    """Draw the sketch next to three recipes."""
    with st.container(border=True, key="sketched columns"):
        picture, ways = st.columns([2, 3], gap="large")
    with picture:
        st.html(sketches.recovery(SKETCHED, CAPTION))
    with ways:
        starting_points.draw(EMPTY, border=False)
