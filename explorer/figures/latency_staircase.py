"""Staircase -> milliseconds against the number of units kept, with spread, and the widths on the fast edge of
a step.
"""

import plotly.graph_objects as go

from ..studies.latency_staircase import Staircase, TimedWidth
from ..values.granularity import CHANNEL
from ..words import LABELS
from .style import AFTER, DENSE, KEPT, figure, nothing, text

EDGE_WORDS = "fast edge of a step"


def latency_staircase(staircase: Staircase | None, chosen: float | None = None) -> go.Figure:
    """Draw the median latency as a stepped line with bars from the 10th to the 90th percentile.

    Args:
        chosen: the group's ratio in the user's recipe, drawn as a vertical line.
    """
    unit = staircase.unit if staircase else CHANNEL
    group = text(staircase.group) if staircase else ""
    title = f"Latency of the whole model against {unit}s of {group} kept"
    drawn = figure(title, f"{unit.capitalize()}s kept", LABELS["latency_ms"])
    if staircase is None or not staircase.steps:
        return nothing(drawn)
    # a busy moment must not flatten the steps; the hover text gives what a bar cuts off
    drawn.update_yaxes(range=[0, 1.8 * max(step.latency_ms["median"] for step in staircase.steps)])
    drawn.add_trace(
        _trace(staircase.steps, "median, 10th to 90th percentile", KEPT, "circle", "lines+markers")
    )
    edges = [step for step in staircase.steps if step.is_edge]
    drawn.add_trace(_trace(edges, EDGE_WORDS, AFTER, "diamond", "markers", 12))
    dense = staircase.steps[-1].latency_ms["median"]
    drawn.add_hline(y=dense, line={"color": DENSE, "dash": "dot", "width": 1})
    if chosen is not None:
        drawn.add_vline(x=staircase.units * (1 - chosen), line={"color": AFTER, "dash": "dash", "width": 1})
    return drawn


def _trace(
    steps: tuple[TimedWidth, ...] | list[TimedWidth],
    name: str,
    colour: str,
    symbol: str,
    mode: str,
    size: int = 7,
) -> go.Scatter:
    times = [step.latency_ms for step in steps]
    bars = {
        "array": [t["p90"] - t["median"] for t in times],
        "arrayminus": [t["median"] - t["p10"] for t in times],
        "thickness": 1,
        "visible": mode != "markers",
    }
    return go.Scatter(
        x=[step.kept for step in steps],
        y=[t["median"] for t in times],
        error_y=bars,
        name=name,
        mode=mode,
        customdata=[
            [
                100 * s.ratio,
                s.speed_up.ratio,
                s.speed_up.low,
                s.speed_up.high,
                s.answer,
                s.latency_ms["p10"],
                s.latency_ms["p90"],
            ]
            for s in steps
        ],
        hovertemplate=(
            "%{x} kept (%{customdata[0]:.0f} % removed): %{y:.2f} ms (%{customdata[5]:.2f} to "
            "%{customdata[6]:.2f})<br>"
            "%{customdata[1]:.2f} times as fast (%{customdata[2]:.2f} to %{customdata[3]:.2f})<br>Faster "
            "here? %{customdata[4]}"
        ),
        marker={"color": colour, "symbol": symbol, "size": size},
        line={"color": colour, "shape": "vh"},
    )
