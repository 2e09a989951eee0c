"""Slide pruning ratios and watch measured accuracy, size, compute and latency answer."""

import streamlit as st

from explorer.ui import controls, panel, results, session

results.draw_metrics()
controls.draw()
if session.recipe().is_empty:
    st.info(results.EMPTY_TEXT, icon=":material/swipe_up:")
panel.draw(session.report())
