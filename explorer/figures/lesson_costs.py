"""Evidence -> what remains in each arm: parameters, those not zero, and MACs, in per cent of the dense
model.
"""

import plotly.graph_objects as go

from ..lessons.evidence import Evidence
from ..lessons.values import Experiment
from ..words import LABELS
from .style import AFTER, KEPT, REMOVED, figure, nothing, text

SHOWN = {"params": KEPT, "nonzero_params": REMOVED, "macs": AFTER}


def lesson_costs(experiment: Experiment, evidence: Evidence | None, x: float) -> go.Figure:
    """Draw bars for each arm at x."""
    drawn = figure(
        f"What is left at {100 * x:g} %", "Left (% of the dense model)", "", barmode="group", height=360
    )
    drawn.update_xaxes(ticksuffix=" %", range=[0, 108])
    drawn.update_yaxes(autorange="reversed", type="category")
    arms = [arm for arm in experiment.arms if evidence and evidence.at(arm.name, x)]
    for quantity, colour in SHOWN.items():
        rows = []
        for arm in arms:
            point, dense = evidence.at(arm.name, x), evidence.dense[arm.name]  # type: ignore[union-attr]
            own, whole = getattr(point.measured, quantity), getattr(dense.measured, quantity)  # type: ignore[union-attr]
            if own is not None and whole:
                rows.append((text(arm.label), 100 * own / whole, own))
        if rows:
            drawn.add_trace(
                go.Bar(
                    y=[label for label, _, _ in rows],
                    x=[share for _, share, _ in rows],
                    customdata=[own for _, _, own in rows],
                    orientation="h",
                    name=LABELS[quantity],
                    marker_color=colour,
                    texttemplate="%{x:.0f} %",
                    hovertemplate="%{y}: %{customdata:,}, %{x:.1f} % of the dense model",
                )
            )
    return drawn if drawn.data else nothing(drawn)
