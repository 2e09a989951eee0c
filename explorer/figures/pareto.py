"""Points -> accuracy against what it costs, with intervals and the Pareto front."""

from collections.abc import Sequence

import plotly.graph_objects as go

from ..runs.comparison import COSTS, Cost, Standing, TradeOff
from ..words import LABELS
from .style import DENSE, KEPT, REMOVED, figure, nothing, text

# standing -> name, colour, symbol; the symbols work without colour too
LOOKS: dict[Standing, tuple[str, str, str]] = {
    "front": ("on the front", KEPT, "circle"),
    "within noise": ("may be on it: within noise", DENSE, "circle-open"),
    "beaten": ("beaten beyond noise", REMOVED, "x"),
}


def pareto(points: Sequence[TradeOff], cost: Cost, chosen: Sequence[str] = ()) -> go.Figure:
    """Draw accuracy against cost; the stepped line is the front: the best accuracy for this cost or less.

    Args:
        points: judged, the cheapest first (see `comparison.points`).
        chosen: runs that get a ring.
    """
    label = COSTS[cost][0]
    drawn = figure(f"Accuracy against {label.split(' (')[0].lower()}", label, f"{LABELS['accuracy']} (%)")
    drawn.update_xaxes(rangemode="tozero", tickformat="~s" if cost != "latency" else None)
    if not points:
        return nothing(drawn)
    front = [point for point in points if point.standing == "front"]
    drawn.add_trace(_line(front))
    for standing in LOOKS:
        shown = [point for point in points if point.standing == standing]
        if shown:
            drawn.add_trace(_dots(shown, standing, label))
    ringed = [point for point in points if point.run is not None and point.run in chosen]
    return drawn.add_trace(_rings(ringed)) if ringed else drawn


def _line(front: Sequence[TradeOff]) -> go.Scatter:
    return go.Scatter(
        x=[p.cost for p in front],
        y=[100 * p.accuracy for p in front],
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        line={"color": KEPT, "width": 1.5, "dash": "dot", "shape": "hv"},
    )


def _dots(points: Sequence[TradeOff], standing: Standing, label: str) -> go.Scatter:
    name, colour, symbol = LOOKS[standing]
    symbols = _symbols(points) if standing == "front" else symbol
    return go.Scatter(
        x=[p.cost for p in points],
        y=[100 * p.accuracy for p in points],
        mode="markers",
        name=name,
        error_y={
            "array": [100 * (p.high - p.accuracy) for p in points],
            "arrayminus": [100 * (p.accuracy - p.low) for p in points],
            "thickness": 1,
            "width": 3,
        },
        marker={"color": colour, "size": 10, "symbol": symbols, "line": {"width": 1.5}},
        customdata=[[text(p.name), 100 * p.low, 100 * p.high, p.samples] for p in points],
        hovertemplate=(
            "%{customdata[0]}<br>%{y:.1f} % (%{customdata[1]:.1f} to %{customdata[2]:.1f}), "
            "%{customdata[3]:,} samples<br>" + label + ": %{x:,}<extra></extra>"
        ),
    )


def _symbols(points: Sequence[TradeOff]) -> list[str]:
    """Return the symbols of the points; dense models are diamonds."""
    return ["diamond" if point.run is None else "circle" for point in points]


def _rings(points: Sequence[TradeOff]) -> go.Scatter:
    return go.Scatter(
        x=[p.cost for p in points],
        y=[100 * p.accuracy for p in points],
        mode="markers",
        name="side by side",
        hoverinfo="skip",
        marker={"symbol": "circle-open", "size": 20, "color": DENSE, "line": {"width": 2}},
    )
