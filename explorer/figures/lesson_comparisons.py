"""Comparisons of a claim -> values with their intervals, and the bounds that the claim asks for."""

from collections.abc import Sequence

import plotly.graph_objects as go

from ..lessons.verdicts import CaseComparison
from .style import AFTER, DENSE, REMOVED, STALE, figure, nothing, tall, text

COLOURS = {"yes": AFTER, "no": REMOVED, "open": STALE}
NAMES = {"yes": "as claimed", "no": "not as claimed", "open": "cannot be told"}
SYMBOLS = {"yes": "circle", "no": "x", "open": "circle-open"}


def lesson_agreement(comparisons: Sequence[CaseComparison]) -> go.Figure:
    """Draw the share of equal answers in each comparison."""
    shown = [one for one in comparisons if one.case.quantity == "agreement"]
    drawn = figure("Answers that are equal", "Equal answers (%)", "", height=tall(len(shown)))
    drawn.update_xaxes(ticksuffix=" %", nticks=5, tickangle=0)
    drawn.update_yaxes(autorange="reversed", type="category", automargin=True)
    for said in NAMES:
        rows = [one for one in shown if one.said == said]
        if rows:
            drawn.add_trace(_row(rows, said))
    if not shown:
        return nothing(drawn)
    return drawn.add_vline(x=100 * max(one.case.above for one in shown), line={"color": DENSE, "dash": "dot"})


def _row(rows: Sequence[CaseComparison], said: str) -> go.Scatter:
    return go.Scatter(
        x=[100 * one.estimate for one in rows],
        y=[f"{text(one.case.name)}, {100 * one.x:g} %" for one in rows],
        mode="markers",
        name=NAMES[said],
        marker={"color": COLOURS[said], "symbol": SYMBOLS[said], "size": 12},
        hovertemplate="%{y}: %{x:.1f} % equal answers",
        error_x={
            "array": [100 * (min(one.high, 1.0) - one.estimate) for one in rows],
            "arrayminus": [100 * (one.estimate - one.low) for one in rows],
            "thickness": 1.5,
        },
    )
