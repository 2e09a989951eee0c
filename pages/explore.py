"""See every layer of the model and how large its weights are, before and after the recipe."""

import streamlit as st

from explorer.ui import explore, weights

explore.draw_glance()
explore.draw_tables()

st.subheader("All weights on one scale", anchor=False)
weights.draw_distribution()

st.subheader("One layer", anchor=False)
weights.draw_layer()
