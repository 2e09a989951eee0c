"""Change pruning ratios and watch measured accuracy, size, compute and latency respond."""

import streamlit as st

from explorer.ui.frame import tour
from explorer.ui.kept_runs import keeping
from explorer.ui.prune import (
    accuracy_curves,
    continuation,
    controls,
    fader_panel,
    fader_table,
    latency_staircase,
    recipe_search,
    results,
    sensitivity_curves,
    sensitivity_scan,
)

results.draw_metrics()
tour.draw()
controls.draw_toolbar()

with st.container(key="cockpit"):
    faders, curve = st.columns(fader_panel.shares(), gap="medium")
with faders:
    controls.draw_rules()
    fader_panel.draw()
with curve:
    accuracy_curves.draw()
continuation.draw()

parts, sensitivity, widths, search, table, held_out = st.tabs(
    ["Requested and achieved", "Sensitivity", "Fast widths", "Search", "Table", "Held-out check"], key="tools"
)
with parts:
    results.draw_parts()
with sensitivity:
    sensitivity_scan.draw()
    sensitivity_curves.draw()
with widths:
    latency_staircase.draw()
with search:
    recipe_search.draw()
with table:
    fader_table.draw()
with held_out:
    keeping.draw_held_out()
