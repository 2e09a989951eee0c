"""Marks that the page moves by itself: the user's own model as it is measured, and where it was before."""

import math

import plotly.graph_objects as go

from ..measuring.metric_words import metric_heading
from ..values.metric import Metric
from .accuracy_curve import AXES
from .style import AFTER

OWN, TRAIL = "own", "trail"  # `meta` of the traces, by which the page finds them
ABOVE = 103  # per cent; a mark at 100 is whole
ROOM = 0.05  # beyond the values that a metric can have, so that a mark at the end is whole
# trace -> what the page's short legend calls it
SHORT = {
    "this recipe, weaker and stronger": "this recipe",
    "this recipe, weaker and stronger: at random": "at random",
    "repaired without training": "repaired",
    "kept runs": "kept",
    "dense model": "dense",
    "your recipe": "yours",
    "your recipe, repaired": "yours, repaired",
    "where you were": "before",
}


def with_live_marks(figure: go.Figure, axis: str, subject: str, decides: Metric) -> go.Figure:
    """Return a figure of quality against what is left with the marks that the page moves, and with axes that
    do not move while it does.

    Args:
        axis: one of `accuracy_curve.AXES`; subject: id of the model whose points are shown.
        decides: the metric, which no point says before the first is measured; an axis that the points choose
            ends where its values do.
    """
    unit = decides.unit
    figure.update_layout(meta={"axis": axis, "subject": subject, "unit": unit})
    if unit == "%":
        figure.update_yaxes(range=[0, ABOVE])
    else:
        figure.update_yaxes(autorangeoptions=_ends(*decides.limits))
    if axis != "latency":  # which may grow
        figure.update_xaxes(range=[0, ABOVE])
    drawn = list(figure.data)
    own = next((trace for trace in drawn if trace.meta == OWN), None) or _mark(OWN, "your recipe", "star", 16)
    others = [trace for trace in drawn if trace is not own]
    figure.data = []
    figure.add_traces([*others, _trail(unit), own])
    figure.layout.meta["names"] = {one.name: SHORT[one.name] for one in figure.data if one.name in SHORT}
    if not drawn:  # the sentence in place of data
        heading = metric_heading(decides.name)
        figure.layout.annotations = ()
        figure.layout.title.text = f"{heading} against {AXES[axis][0]} left"
        figure.update_yaxes(title_text=f"{heading} ({unit})" if unit else heading)
        figure.update_xaxes(showticklabels=True, showgrid=True)
        # where another metric will be is not known yet, and invented numbers would be read
        figure.update_yaxes(showticklabels=unit == "%", showgrid=unit == "%")
    return figure


def _mark(meta: str, name: str, symbol: str, size: int) -> go.Scatter:
    return go.Scatter(
        x=[],
        y=[],
        meta=meta,
        name=name,
        mode="markers",
        marker={"color": AFTER, "symbol": symbol, "size": size},
    )


def _ends(least: float, most: float) -> dict[str, float]:
    """Return the ends beyond which no axis goes, in Plotly's words."""
    room = ROOM * min(most - least, 1)
    ends = {"clipmin": least - room, "clipmax": most + room}
    return {name: end for name, end in ends.items() if math.isfinite(end)}


def _trail(unit: str) -> go.Scatter:
    trail = _mark(TRAIL, "where you were", "circle", 5)
    line = {"color": AFTER, "width": 1, "dash": "dot"}
    form = ".1f" if unit == "%" else ".4g"
    told = f"you were here: %{{y:{form}}}, %{{x:.1f}} % left<extra></extra>"
    return trail.update(mode="lines+markers", line=line, opacity=0.55, showlegend=False, hovertemplate=told)
