"""Slide pruning ratios and watch measured accuracy, size, compute and latency answer."""

import streamlit as st

from explorer.ui import controls, panel, results, scanning, session

results.draw_metrics()
controls.draw()
if session.recipe().is_empty:
    st.info(results.EMPTY_TEXT, icon=":material/swipe_up:")
panel.draw(session.report(), scanning.sensitivity())
scanning.draw()

with st.container(key="below"):
    curve, outcome = st.columns(2, gap="large")
with curve:
    st.markdown("#### Accuracy against size")
    results.draw_curve()
with outcome:
    st.markdown("#### Requested and achieved")
    results.draw_parts()
    st.markdown("#### Take it away")
    with st.container(horizontal=True):
        results.draw_downloads()
