"""Recovery curve -> one-shot, recalibrated and recovered models over strengths, on the same axes."""

import plotly.graph_objects as go

from ..measuring.metric_words import metric_axis
from ..recovery.recovery_curve import RecoveryCurve
from ..values.metric import ACCURACY
from .accuracy_curve import AXES, Axis, point, trace
from .style import AFTER, DENSE, KEPT, REMOVED, Mark, figure, nothing

# line -> colour, symbol
LINES = {
    "recovered": (AFTER, "triangle-up"),
    "recalibrated": (KEPT, "square"),
    "one-shot": (REMOVED, "circle"),
}


def recovery_curve(curve: RecoveryCurve | None, axis: Axis = "nonzero_params") -> go.Figure:
    """Draw the metric against what is left, a line for each kind of model, with 95 % intervals; the dense
    model is the diamond.
    """
    what, unit, _ = AXES[axis]
    drawn = figure(
        f"What recovery gives, against {what} left",
        f"{what[0].upper()}{what[1:]} left (% of the dense model)",
        metric_axis(curve.points[0].recovery.scale if curve and curve.points else ACCURACY),
        height=420,
    )
    drawn.update_xaxes(ticksuffix=" %", rangemode="tozero").update_yaxes(rangemode="tozero")
    base = curve.baseline if curve else None
    if curve is None or base is None:
        return nothing(drawn)
    for name, (colour, symbol) in LINES.items():
        measured = [p.lines()[name] for p in curve.points if name in p.lines()]
        placed = sorted((p for m in measured if (p := point(m, base, axis))), key=lambda p: p.left)
        if placed:
            drawn.add_trace(trace(placed, name, unit, Mark(colour, symbol, 8, "lines+markers")))
    dense = point(base, base, axis)
    return (
        drawn.add_trace(trace([dense], "dense model", unit, Mark(DENSE, "diamond", 11))) if dense else drawn
    )
