"""Change pruning ratios and watch measured accuracy, size, compute and latency respond."""

import streamlit as st

from explorer.ui.kept_runs import keeping
from explorer.ui.prune import (
    accuracy_curves,
    controls,
    fader_panel,
    fader_table,
    latency_staircase,
    recipe_search,
    results,
    sensitivity_curves,
    sensitivity_scan,
    take_away,
)

results.draw_metrics()
controls.draw()
results.draw_welcome()
fader_panel.draw()
sensitivity_scan.draw()
fader_table.draw()

with st.container(key="below"):
    curve, parts = st.columns(2, gap="large")
with curve:
    st.markdown("#### Accuracy against size")
    accuracy_curves.draw()
with parts:
    st.markdown("#### Requested and achieved")
    results.draw_parts()

sensitivity_curves.draw()
recipe_search.draw()

with st.container(key="below decided"):
    widths, outcome = st.columns(2, gap="large")
with widths:
    st.markdown("#### Which widths are fast here")
    latency_staircase.draw()
with outcome:
    st.markdown("#### Keep it, check it")
    with st.container(horizontal=True):
        keeping.draw_keep()
    keeping.draw_held_out()
    st.markdown("#### Take it away")
    take_away.draw()
