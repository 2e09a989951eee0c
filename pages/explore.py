"""See every layer of the model and how large its weights are, before and after the recipe."""

import streamlit as st

from explorer.ui.explore import overview, weights

overview.draw_glance()
overview.draw_tables()

st.header("All weights on one scale", anchor=False)
weights.draw_distribution()

st.header("One layer", anchor=False)
weights.draw_layer()
