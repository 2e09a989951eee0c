"""A few runs, row by row: ratios of parts, what is left of layers, accuracy of classes."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from ..studies.flips import ClassAccuracy
from ..values.granularity import BLOCK, PLURALS, Granularity
from ..values.report import Report
from ..words import LABELS
from .style import AFTER, DENSE, KEPT, REMOVED, figure, nothing, tall, text

# a colour and a symbol each, so that they differ without colour
MOST_ROWS = 40
TITLE, NAME = 64, 20  # pixels above the plot: for title and subtitle, and for each name of the legend
SIZES = (
    15,
    12,
    10,
    8,
    6,
)  # pixels; those drawn later are smaller, so that equal values don't hide each other
MARKS = ((KEPT, "circle"), (REMOVED, "square"), (AFTER, "diamond"), ("#b06fc4", "triangle-up"), (DENSE, "x"))


def ratios_side_by_side(reports: Mapping[str, Report]) -> go.Figure:
    """Draw what was removed of each part, one dot for each run; parts that no run touches are left out.

    Args:
        reports: name of the run -> Report, at most five.
    """
    drawn = _rows("How much of each part is removed", LABELS["achieved"], len(reports))
    drawn.update_xaxes(tickformat=".0%", range=[-0.03, 1.03])
    amounts = {
        name: {_part(p.name, p.granularity): p.achieved for p in report.parts}
        for name, report in reports.items()
    }
    fullest = sorted(amounts.values(), key=len, reverse=True)  # its order of parts is the model's
    rows = list(dict.fromkeys(part for found in fullest for part in found))
    return _dotted(drawn, rows, amounts, missing=0.0)


def _part(name: str, granularity: Granularity) -> str:
    return f"{text(name)}, {granularity if granularity == BLOCK else PLURALS[granularity]}"


def layers_side_by_side(reports: Mapping[str, Report]) -> go.Figure:
    """Draw which share of each layer's parameters is left and not zero, one dot for each run."""
    drawn = _rows("How much of each layer is left", "Non-zero parameters left", len(reports))
    drawn.update_xaxes(tickformat=".0%", range=[-0.03, 1.03])
    amounts = {
        name: {text(o.name): o.nonzero_params / o.params for o in report.layers if o.params}
        for name, report in reports.items()
    }
    rows = list(dict.fromkeys(layer for found in amounts.values() for layer in found))
    return _dotted(drawn, rows, amounts)


def classes_side_by_side(accuracies: Sequence[ClassAccuracy]) -> go.Figure:
    """Draw the accuracy of each class with its 95 % interval, one dot for each model."""
    names = list(dict.fromkeys(row.name for row in accuracies))
    drawn = _rows("Accuracy of each class", f"{LABELS['accuracy']} (%)", len(names))
    amounts = {
        name: {text(row.label): row.accuracy for row in accuracies if row.name == name} for name in names
    }
    rows = _telling(drawn, list(dict.fromkeys(text(row.label) for row in accuracies)), amounts)
    drawn.update_layout(height=tall(2 * len(rows)) + NAME * len(names))
    for place, name in enumerate(names):
        own = [row for row in accuracies if row.name == name and text(row.label) in rows]
        trace = _dots(name, place, [100 * row.accuracy for row in own], [text(row.label) for row in own])
        trace.update(
            error_x={
                "array": [100 * (row.high - row.accuracy) for row in own],
                "arrayminus": [100 * (row.accuracy - row.low) for row in own],
                "thickness": 1,
                "width": 3,
            },
            customdata=[[row.correct, row.samples] for row in own],
            hovertemplate="%{y}: %{x:.1f} %, %{customdata[0]:,} of %{customdata[1]:,}",
        )
        drawn.add_trace(trace)
    drawn.update_layout(scattermode="group", scattergap=0.3)
    return drawn if rows else nothing(drawn)


def _rows(title: str, x: str, runs: int) -> go.Figure:
    """Draw the rows. The legend is between title and plot, a line for each run, since their names are
    long.
    """
    drawn = figure(title, x, "")
    drawn.update_layout(legend_orientation="v", legend_x=0, legend_y=1, margin_t=TITLE + NAME * runs)
    return drawn.update_yaxes(autorange="reversed", type="category")


def _dotted(
    drawn: go.Figure,
    rows: Sequence[str],
    amounts: Mapping[str, Mapping[str, float]],
    missing: float | None = None,
) -> go.Figure:
    rows = _telling(drawn, rows, amounts, missing)
    drawn.update_layout(height=tall(len(rows)) + NAME * len(amounts))
    if not rows:
        return nothing(drawn)
    drawn.update_yaxes(categoryorder="array", categoryarray=rows)
    for place, (name, found) in enumerate(amounts.items()):
        trace = _dots(name, place, [found.get(row, missing) for row in rows], rows)
        drawn.add_trace(trace.update(hovertemplate="%{y}: %{x:.1%}"))
    return drawn


def _telling(
    drawn: go.Figure,
    rows: Sequence[str],
    amounts: Mapping[str, Mapping[str, float]],
    missing: float | None = None,
) -> Sequence[str]:
    """Return all rows, or, if there are many, those in which runs differ most (for a single run the largest),
    in their order; the figure says so.
    """
    if len(rows) <= MOST_ROWS:
        return rows
    shown = {
        row: [value for own in amounts.values() if (value := own.get(row, missing)) is not None]
        for row in rows
    }
    alone = len(amounts) == 1
    spread = {
        row: (max(values) if alone else max(values) - min(values)) if values else 0.0
        for row, values in shown.items()
    }
    most = set(sorted(rows, key=lambda row: -spread[row])[:MOST_ROWS])
    why = "the largest" if alone else "where the runs differ most"
    drawn.update_layout(title_subtitle_text=f"{MOST_ROWS} of {len(rows):,}: {why}")
    return [row for row in rows if row in most]


def _dots(name: str, place: int, x: Sequence[float | None], y: Sequence[str]) -> go.Scatter:
    colour, symbol = MARKS[place % len(MARKS)]
    marker = {"color": colour, "symbol": symbol, "size": SIZES[place % len(SIZES)], "opacity": 0.9}
    return go.Scatter(x=list(x), y=list(y), name=text(name), mode="markers", marker=marker)
