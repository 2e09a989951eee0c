"""Points of a class -> accuracy against size, with the front of points that none beats."""

from collections.abc import Sequence

import plotly.graph_objects as go

from ..lessons.class_board import BoardPoint, front
from ..words import LABELS
from .style import AFTER, KEPT, figure, nothing, text

FAR = 0.6  # of the size: names of points beyond it are on their left, to stay inside the figure
HOVER = (
    "%{text}: %{y:.1f} % (%{customdata[0]:.1f} to %{customdata[1]:.1f}), %{customdata[2]:,} samples, "
    "%{x:.1f} % left"
    "<extra></extra>"
)


def class_front(points: Sequence[BoardPoint]) -> go.Figure:
    """Draw every point with its interval under its nickname, and a step line along the front."""
    drawn = figure(
        "Accuracy against size, the whole class",
        "Non-zero parameters left (% of the dense model)",
        f"{LABELS['accuracy']} (%)",
        height=420,
    )
    drawn.update_xaxes(ticksuffix=" %", rangemode="tozero")
    if not points:
        return nothing(drawn, "No point yet: be the first")
    best = front(points)
    drawn.add_trace(
        go.Scatter(
            x=[100 * p.left for p in best],
            y=[100 * p.accuracy for p in best],
            mode="lines",
            name="the class's front",
            line={"color": AFTER, "shape": "hv", "width": 2},
            hoverinfo="skip",
        )
    )
    return drawn.add_trace(
        go.Scatter(
            x=[100 * p.left for p in points],
            y=[100 * p.accuracy for p in points],
            mode="markers+text",
            name="students",
            text=[text(p.nickname) for p in points],
            marker={"color": KEPT, "size": 10},
            error_y={
                "array": [100 * (p.high - p.accuracy) for p in points],
                "arrayminus": [100 * (p.accuracy - p.low) for p in points],
                "thickness": 1,
            },
            customdata=[[100 * p.low, 100 * p.high, p.samples] for p in points],
            textposition=["top left" if p.left > FAR else "top right" for p in points],
            hovertemplate=HOVER,
        )
    )
