"""See every layer of the model, how large its weights are, and what each channel is worth."""

import streamlit as st

from explorer.ui import explore

explore.draw_glance()
explore.draw_tables()
explore.draw_distribution()

st.subheader("What each channel is worth", anchor=False)
explore.draw_importance()

st.subheader("One layer", anchor=False)
explore.draw_layer()
