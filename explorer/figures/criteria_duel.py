"""Duel -> the change of the metric under each criterion, compared with random choices."""

import plotly.graph_objects as go

from ..measuring.metric_words import change_axis, change_unit, hover_form, metric_title
from ..studies.criteria_duel import CONTROL, Duel
from ..values.metric import ACCURACY, Scale
from ..values.report import Report
from .style import DENSE, KEPT, Mark, figure, nothing, tall, text

BAND = "rgba(128, 128, 128, 0.18)"


def criteria_duel(duel: Duel | None) -> go.Figure:
    """Draw a row for each criterion, the one that loses least on top; bars are intervals, the band is the
    range of the random seeds.
    """
    scale = duel.scale if duel else ACCURACY
    change, title = change_axis(scale), f"Change of {metric_title(scale.metric)} if each criterion chooses"
    drawn = figure(title, change, "", height=tall(len(duel.order) if duel else 0))
    if duel is None or not duel.reports:
        return nothing(drawn)
    if duel.chance is not None:
        ends = sorted(-scale.sign * scale.factor * lost for lost in duel.chance)
        drawn.add_vrect(*ends, fillcolor=BAND, line_width=0, layer="below")
    best = [(name, duel.reports[name][0]) for name in duel.order if name != CONTROL]
    if best:
        drawn.add_trace(_dots(best, scale, "criterion", Mark(KEPT, "circle")))
    drawn.add_trace(
        _dots(
            [(CONTROL, report) for report in duel.reports.get(CONTROL, ())],
            scale,
            "random, each seed",
            Mark(DENSE, "x"),
        )
    )
    drawn.add_vline(0, line={"color": DENSE, "dash": "dot"})
    drawn.update_yaxes(
        type="category", categoryorder="array", categoryarray=[text(name) for name in duel.order[::-1]]
    )
    return drawn.update_layout(showlegend=True, margin={"t": 90})


def _dots(rows: list[tuple[str, Report]], scale: Scale, name: str, mark: Mark) -> go.Scatter:
    known = [(criterion, report, report.drop) for criterion, report in rows if report.drop]
    factor, (form, unit) = scale.factor, hover_form(scale)
    change = [-factor * drop.estimate for _, _, drop in known]
    bars = {
        "type": "data",
        "symmetric": False,
        "thickness": 1.5,
        "width": 3,
        "array": [factor * (drop.estimate - drop.low) for *_, drop in known],
        "arrayminus": [factor * (drop.high - drop.estimate) for *_, drop in known],
    }
    about = [
        [report.recipe.seed, report.pruned.samples, factor * (report.pruned.value or 0.0), report.pruned.loss]
        for _, report, _ in known
    ]
    return go.Scatter(
        x=change,
        y=[text(criterion) for criterion, *_ in known],
        mode="markers",
        name=name,
        marker={"color": mark.colour, "size": 10, "symbol": mark.symbol},
        error_x=bars,
        customdata=about,
        hovertemplate=f"%{{y}}: %{{x:{form}}}{change_unit(scale)}, to %{{customdata[2]:{form}}}{unit} "
        "of %{customdata[1]:,} samples<br>loss %{customdata[3]:.3f}<extra>seed %{customdata[0]}"
        "</extra>",
    )
