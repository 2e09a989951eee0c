"""Points -> quality against what it costs, with intervals and the Pareto front."""

from collections.abc import Sequence

import plotly.graph_objects as go

from ..measuring.metric_words import hover_form, metric_axis, metric_heading
from ..runs.comparison import COSTS, Cost, Standing, TradeOff
from ..values.metric import ACCURACY, Scale
from .style import DENSE, KEPT, REMOVED, figure, nothing, text

# standing -> name, colour, symbol; the symbols work without colour too
LOOKS: dict[Standing, tuple[str, str, str]] = {
    "front": ("on the front", KEPT, "circle"),
    "within noise": ("may be on it: within noise", DENSE, "circle-open"),
    "beaten": ("beaten beyond noise", REMOVED, "x"),
}


def pareto(
    points: Sequence[TradeOff], cost: Cost, chosen: Sequence[str] = (), scale: Scale = ACCURACY
) -> go.Figure:
    """Draw a metric against cost; the stepped line is the front: the best value for this cost or less.

    Args:
        points: judged, the cheapest first (see `comparison.points`).
        chosen: runs that get a ring.
        scale: of the metric that decides.
    """
    label, metric = COSTS[cost][0], metric_heading(scale.metric)
    amount = label if label.startswith("MACs") else label.lower()
    drawn = figure(f"{metric} against {amount.split(' (')[0]}", label, metric_axis(scale))
    drawn.update_xaxes(rangemode="tozero", tickformat="~s" if cost != "latency" else None)
    if not points:
        return nothing(drawn)
    front = [point for point in points if point.standing == "front"]
    drawn.add_trace(_line(front, scale))
    for standing in LOOKS:
        shown = [point for point in points if point.standing == standing]
        if shown:
            drawn.add_trace(_dots(shown, standing, label, scale))
    ringed = [point for point in points if point.run is not None and point.run in chosen]
    return drawn.add_trace(_rings(ringed, scale)) if ringed else drawn


def _line(front: Sequence[TradeOff], scale: Scale) -> go.Scatter:
    return go.Scatter(
        x=[p.cost for p in front],
        y=[scale.factor * p.value for p in front],
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        line={"color": KEPT, "width": 1.5, "dash": "dot", "shape": "hv"},
    )


def _dots(points: Sequence[TradeOff], standing: Standing, label: str, scale: Scale) -> go.Scatter:
    name, colour, symbol = LOOKS[standing]
    form, unit = hover_form(scale)
    symbols = _symbols(points) if standing == "front" else symbol
    return go.Scatter(
        x=[p.cost for p in points],
        y=[scale.factor * p.value for p in points],
        mode="markers",
        name=name,
        error_y={
            "array": [scale.factor * (p.high - p.value) for p in points],
            "arrayminus": [scale.factor * (p.value - p.low) for p in points],
            "thickness": 1,
            "width": 3,
        },
        marker={"color": colour, "size": 10, "symbol": symbols, "line": {"width": 1.5}},
        customdata=[[text(p.name), scale.factor * p.low, scale.factor * p.high, p.samples] for p in points],
        hovertemplate=(
            f"%{{customdata[0]}}<br>%{{y:{form}}}{unit} "
            f"(%{{customdata[1]:{form}}} to %{{customdata[2]:{form}}}), "
            "%{customdata[3]:,} samples<br>" + label + ": %{x:,}<extra></extra>"
        ),
    )


def _symbols(points: Sequence[TradeOff]) -> list[str]:
    """Return the symbols of the points; dense models are diamonds."""
    return ["diamond" if point.run is None else "circle" for point in points]


def _rings(points: Sequence[TradeOff], scale: Scale) -> go.Scatter:
    return go.Scatter(
        x=[p.cost for p in points],
        y=[scale.factor * p.value for p in points],
        mode="markers",
        name="side by side",
        hoverinfo="skip",
        marker={"symbol": "circle-open", "size": 20, "color": DENSE, "line": {"width": 2}},
    )
