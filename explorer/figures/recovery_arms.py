"""Recovery -> dense, one-shot, recalibrated and recovered models on one axis of the metric, each with its
interval.
"""

from collections.abc import Sequence

import plotly.graph_objects as go

from ..measuring.metric_words import hover_form, metric_axis
from ..recovery.values import Recovery
from ..values.metric import ACCURACY, Scale
from ..values.report import Measurement
from .style import AFTER, DENSE, KEPT, REMOVED, figure, nothing, tall, text

CONTROL = "#8a6d00"


def recovery_arms(recovery: Recovery | None, fair: Sequence[tuple[str, Measurement]] = ()) -> go.Figure:
    """Draw one row each, with the dense model on top; the band is the dense model's 95 % interval.

    Args:
        fair: controls that were trained as long, by name, at the bottom.
    """
    rows = [*_rows(recovery), *((name, measured, CONTROL) for name, measured in fair)] if recovery else []
    scale = recovery.scale if recovery else ACCURACY
    drawn = figure("What is won back", metric_axis(scale), "", height=tall(len(rows)), showlegend=False)
    drawn.update_layout(margin_t=60).update_yaxes(autorange="reversed", type="category")
    if scale.unit == "%":
        drawn.update_xaxes(range=[0, 101])
    if recovery is None or not rows:
        return nothing(drawn)
    low, high = recovery.baseline.low, recovery.baseline.high
    if low is not None and high is not None:
        drawn.add_vrect(scale.factor * low, scale.factor * high, fillcolor=DENSE, opacity=0.15, line_width=0)
    return drawn.add_trace(_dots(rows, scale))


def _rows(recovery: Recovery) -> list[tuple[str, Measurement, str]]:
    """Return name, measurement and colour of each row."""
    colours = {recovery.one_shot.name: REMOVED} | (
        {recovery.recalibrated.name: KEPT} if recovery.recalibrated else {}
    )
    rows = [
        ("dense", recovery.baseline, DENSE),
        *((arm.name, arm.measurement, colours.get(arm.name, AFTER)) for arm in recovery.arms),
    ]
    return [row for row in rows if row[1].value is not None]


def _dots(rows: list[tuple[str, Measurement, str]], scale: Scale) -> go.Scatter:
    form, unit = hover_form(scale)
    values = [scale.factor * (m.value or 0.0) for _, m, _ in rows]
    reach = [(scale.factor * (m.low or 0.0), scale.factor * (m.high or 0.0)) for _, m, _ in rows]
    return go.Scatter(
        x=values,
        y=[text(name) for name, _, _ in rows],
        mode="markers+text",
        cliponaxis=False,
        text=[f"{value:{form}}" for value in values],
        textposition="top center",
        error_x={
            "array": [high - x for (_, high), x in zip(reach, values, strict=True)],
            "arrayminus": [x - low for (low, _), x in zip(reach, values, strict=True)],
            "thickness": 2,
            "color": DENSE,
        },
        marker={"color": [colour for _, _, colour in rows], "size": 12},
        customdata=[[*r, m.samples, m.loss] for r, (_, m, _) in zip(reach, rows, strict=True)],
        hovertemplate=f"%{{y}}: %{{x:{form}}}{unit} "
        f"(%{{customdata[0]:{form}}} to %{{customdata[1]:{form}}}), "
        "%{customdata[2]:,} samples<br>"
        "loss %{customdata[3]:.3f}<extra></extra>",
    )
