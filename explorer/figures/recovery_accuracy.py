"""Recovery -> quality on the tuning split after each epoch, with the dense model and the drop at the cut."""

import plotly.graph_objects as go

from ..measuring.metric_words import hover_form, metric_axis, metric_heading
from ..recovery.values import EpochPoint, Recovery
from ..values.metric import ACCURACY, Scale
from .style import AFTER, DENSE, KEPT, REMOVED, Mark, figure, nothing, text

COLOURS = (AFTER, KEPT, REMOVED, "#cc79a7", "#8a6d00")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross")  # open before the cut


def recovery_accuracy(recovery: Recovery | None) -> go.Figure:
    """Draw a line for each seed, with a 95 % interval at each point; open points are of the model before it
    is cut.
    """
    scale = recovery.scale if recovery else ACCURACY
    title = f"{metric_heading(scale.metric)} during training"
    drawn = figure(title, "Epochs trained", metric_axis(scale), height=380)
    drawn.update_xaxes(rangemode="tozero")
    if recovery is None or not recovery.epochs:
        return nothing(drawn)
    _dense(drawn, recovery)
    for number, seed in enumerate(dict.fromkeys(point.seed for point in recovery.epochs)):
        points = [
            point for point in recovery.epochs if point.seed == seed and point.measurement.value is not None
        ]
        mark = Mark(COLOURS[number % len(COLOURS)], SYMBOLS[number % len(SYMBOLS)])
        drawn.add_trace(_line(points, f"seed {seed}", mark, scale))
    return drawn


def _dense(drawn: go.Figure, recovery: Recovery) -> None:
    """Draw the dense model as a line and its interval as a band."""
    base, factor = recovery.baseline, recovery.scale.factor
    if base.value is None or base.low is None or base.high is None:
        return
    form, unit = hover_form(recovery.scale)
    drawn.add_hrect(factor * base.low, factor * base.high, fillcolor=DENSE, opacity=0.15, line_width=0)
    ends = [0, max(1, recovery.plan.trained_epochs)]
    drawn.add_trace(
        go.Scatter(
            x=ends,
            y=[factor * base.value] * 2,
            mode="lines",
            name="dense model",
            line={"color": DENSE, "dash": "dash"},
            hovertemplate=f"dense: %{{y:{form}}}{unit}<extra></extra>",
        )
    )


def _line(points: list[EpochPoint], name: str, mark: Mark, scale: Scale) -> go.Scatter:
    form, unit = hover_form(scale)
    measured = [point.measurement for point in points]
    values = [scale.factor * (m.value or 0.0) for m in measured]
    reach = [(scale.factor * (m.low or 0.0), scale.factor * (m.high or 0.0)) for m in measured]
    return go.Scatter(
        x=[point.epoch for point in points],
        y=values,
        mode="lines+markers",
        name=name,
        error_y={
            "array": [high - y for (_, high), y in zip(reach, values, strict=True)],
            "arrayminus": [y - low for (low, _), y in zip(reach, values, strict=True)],
            "thickness": 1,
        },
        customdata=[
            [text(p.phase), *r, m.samples, 100 * p.kept]
            for p, r, m in zip(points, reach, measured, strict=True)
        ],
        hovertemplate="epoch %{x}, %{customdata[0]}<br>"
        f"%{{y:{form}}}{unit} (%{{customdata[1]:{form}}} to %{{customdata[2]:{form}}}), "
        "%{customdata[3]:,} samples<br>%{customdata[4]:.1f} % of the parameters left<extra></extra>",
        marker={
            "color": mark.colour,
            "size": 7,
            "symbol": [mark.symbol + ("" if p.pruned else "-open") for p in points],
        },
        line={"color": mark.colour},
    )
