"""Change pruning ratios and watch measured accuracy, size, compute and latency respond."""

import streamlit as st

from explorer.ui.frame import tour
from explorer.ui.kept_runs import keeping
from explorer.ui.live.figure import bring_plotly
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

bring_plotly()  # first, as it takes longest to load
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

tools = {
    "Requested and achieved": [results.draw_parts],
    "Sensitivity": [sensitivity_scan.draw, sensitivity_curves.draw],
    "Fast widths": [latency_staircase.draw],
    "Search": [recipe_search.draw],
    "Table": [fader_table.draw],
    "Held-out check": [keeping.draw_held_out],
}
if continuation.is_offered():
    tools = {"Continue a text": [continuation.draw], **tools}
for tab, draws in zip(st.tabs(list(tools), key="tools"), tools.values(), strict=True):
    with tab:
        for draw in draws:
            draw()
