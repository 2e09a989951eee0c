"""Live numbers -> how well each number orders recipes as retraining does, with its interval."""

from collections.abc import Sequence

import plotly.graph_objects as go

from ..studies.live_correlations import NUMBERS, LiveNumbers
from .style import AFTER, DENSE, KEPT, REMOVED, figure, nothing, text

COLOURS = (KEPT, REMOVED, AFTER, "#8a6d00", DENSE)
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross")


def live_numbers(studies: Sequence[LiveNumbers]) -> go.Figure:
    """Draw one row for each number and one mark for each model: the rank correlation of its accuracy (or
    other metric) with that after retraining, with the 95 % interval over recipes; empty if nothing is known.
    """
    drawn = figure(
        "Which number predicts the retrained model?",
        "Rank correlation with the retrained number",
        "",
        height=430,
    )
    known = [(study, study.correlations()) for study in studies]
    if not any(rows for _, rows in known):
        return nothing(drawn)
    for place, (study, rows) in enumerate(known):
        drawn.add_trace(
            go.Scatter(
                x=[one.estimate for one in rows],
                y=[NUMBERS[one.number] for one in rows],
                name=text(study.subject),
                mode="markers",
                marker={
                    "color": COLOURS[place % len(COLOURS)],
                    "symbol": SYMBOLS[place % len(SYMBOLS)],
                    "size": 10,
                },
                error_x={
                    "array": [one.high - one.estimate for one in rows],
                    "arrayminus": [one.estimate - one.low for one in rows],
                    "thickness": 1,
                },
                customdata=[[one.low, one.high, len(study.tried)] for one in rows],
                hovertemplate="%{y}: %{x:.2f} (%{customdata[0]:.2f} to %{customdata[1]:.2f}), "
                "%{customdata[2]} recipes<extra>%{fullData.name}</extra>",
            )
        )
    drawn.update_xaxes(range=[-1.05, 1.05]).update_yaxes(
        autorange="reversed", type="category", categoryorder="array", categoryarray=list(NUMBERS.values())
    )
    drawn.add_vline(x=0, line={"color": DENSE, "width": 1, "dash": "dot"})
    return drawn.update_layout(scattermode="group")
