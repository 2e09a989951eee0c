"""Duel -> the change of accuracy under each criterion, compared with random choices."""

import plotly.graph_objects as go

from ..studies.criteria_duel import CONTROL, Duel
from ..values.report import Report
from .style import DENSE, KEPT, figure, nothing, tall, text

TITLE = "Change of accuracy if each criterion chooses"
BAND = "rgba(128, 128, 128, 0.18)"


def criteria_duel(duel: Duel | None) -> go.Figure:
    """Draw a row for each criterion, the one that loses least on top; bars are intervals, the band is the
    range of the random seeds.
    """
    drawn = figure(TITLE, "Change of accuracy (points)", "", height=tall(len(duel.order) if duel else 0))
    if duel is None or not duel.reports:
        return nothing(drawn)
    if duel.chance is not None:
        drawn.add_vrect(
            -100 * duel.chance[1], -100 * duel.chance[0], fillcolor=BAND, line_width=0, layer="below"
        )
    best = [(name, duel.reports[name][0]) for name in duel.order if name != CONTROL]
    if best:
        drawn.add_trace(_dots(best, "criterion", KEPT, "circle"))
    drawn.add_trace(
        _dots(
            [(CONTROL, report) for report in duel.reports.get(CONTROL, ())], "random, each seed", DENSE, "x"
        )
    )
    drawn.add_vline(0, line={"color": DENSE, "dash": "dot"})
    drawn.update_yaxes(
        type="category", categoryorder="array", categoryarray=[text(name) for name in duel.order[::-1]]
    )
    return drawn.update_layout(showlegend=True, margin={"t": 90})


def _dots(rows: list[tuple[str, Report]], name: str, colour: str, symbol: str) -> go.Scatter:
    known = [(criterion, report, report.drop) for criterion, report in rows if report.drop]
    change = [-100 * drop.estimate for _, _, drop in known]
    bars = {
        "type": "data",
        "symmetric": False,
        "thickness": 1.5,
        "width": 3,
        "array": [100 * (drop.estimate - drop.low) for *_, drop in known],
        "arrayminus": [100 * (drop.high - drop.estimate) for *_, drop in known],
    }
    about = [
        [report.recipe.seed, report.pruned.samples, 100 * (report.pruned.accuracy or 0.0), report.pruned.loss]
        for _, report, _ in known
    ]
    return go.Scatter(
        x=change,
        y=[text(criterion) for criterion, *_ in known],
        mode="markers",
        name=name,
        marker={"color": colour, "size": 10, "symbol": symbol},
        error_x=bars,
        customdata=about,
        hovertemplate="%{y}: %{x:.1f} points, to %{customdata[2]:.1f} % of %{customdata[1]:,} samples<br>"
        "loss %{customdata[3]:.3f}<extra>seed %{customdata[0]}"
        "</extra>",
    )
