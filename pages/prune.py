"""Slide pruning ratios and watch measured accuracy, size, compute and latency answer."""

import streamlit as st

from explorer.ui import (
    controls,
    curves,
    panel,
    part_table,
    results,
    scanning,
    searching,
    sensitivities,
    staircase,
    take_away,
)
from explorer.ui.kept_runs import keeping

results.draw_metrics()
controls.draw()
results.draw_welcome()
panel.draw()
scanning.draw()
part_table.draw()

with st.container(key="below"):
    curve, parts = st.columns(2, gap="large")
with curve:
    st.markdown("#### Accuracy against size")
    curves.draw()
with parts:
    st.markdown("#### Requested and achieved")
    results.draw_parts()

sensitivities.draw()
searching.draw()

with st.container(key="below decided"):
    widths, outcome = st.columns(2, gap="large")
with widths:
    st.markdown("#### Which widths are fast here")
    staircase.draw()
with outcome:
    st.markdown("#### Keep it, check it")
    with st.container(horizontal=True):
        keeping.draw_keep()
    keeping.draw_held_out()
    st.markdown("#### Take it away")
    take_away.draw()
