"""Search -> quality against the remaining cost, one point for each trial, with the front and the winner's
allowed drop.
"""

from collections.abc import Sequence

import plotly.graph_objects as go

from ..measuring.metric_words import hover_form, metric_axis
from ..studies.search_trials import Search, Trial
from ..values.metric import Scale
from .style import AFTER, DENSE, KEPT, REMOVED, STALE, figure, nothing, text

COST_TITLES = {"params": "Non-zero parameters left (%)", "macs": "MACs left (%)"}


def search_front(search: Search | None, chosen: int | None = None) -> go.Figure:
    """Draw trials as dots; the stepped line is the front: the best quality for this cost or less.

    Args:
        chosen: number of the trial that gets a ring.
    """
    cost = search.plan.cost if search else "params"
    scale = search.trials[0].scale if search and search.trials else Scale()
    drawn = figure("What was tried", COST_TITLES[cost], metric_axis(scale), height=420)
    if search is None or not search.trials:
        return nothing(drawn, "No trial has been measured yet")
    front = search.front
    beaten = [trial for trial in search.trials if trial not in front]
    if beaten:
        drawn.add_trace(_dots(beaten, "beaten", STALE, "x", bars=False))
    drawn.add_trace(_line(front))
    drawn.add_trace(_dots(front, "on the front", KEPT, "circle", bars=True))
    if search.winner is not None:
        drawn.add_trace(_dots([search.winner], "winner", AFTER, "star", bars=False, size=15))
    ringed = [trial for trial in search.trials if trial.number == chosen]
    if ringed:
        drawn.add_trace(_dots(ringed, "chosen", DENSE, "circle-open", bars=False, size=20))
    return _bounds(drawn, search)


def _line(front: Sequence[Trial]) -> go.Scatter:
    return go.Scatter(
        x=[100 * trial.cost for trial in front],
        y=[trial.scale.factor * trial.value for trial in front],
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        line={"color": KEPT, "width": 1.5, "dash": "dot", "shape": "hv"},
    )


def _dots(
    trials: Sequence[Trial], name: str, colour: str, symbol: str, *, bars: bool, size: int = 9
) -> go.Scatter:
    scale = trials[0].scale if trials else Scale()
    ranges = [tuple(scale.factor * end for end in _range(trial)) for trial in trials]
    values = [scale.factor * trial.value for trial in trials]
    above = [high - value for value, (_, high) in zip(values, ranges, strict=True)]
    below = [value - low for value, (low, _) in zip(values, ranges, strict=True)]
    form, unit = hover_form(scale)
    return go.Scatter(
        x=[100 * trial.cost for trial in trials],
        y=[trial.scale.factor * trial.value for trial in trials],
        mode="markers",
        name=name,
        error_y={"array": above, "arrayminus": below, "thickness": 1, "width": 3} if bars else None,
        marker={"color": colour, "size": size, "symbol": symbol, "line": {"width": 1.5}},
        customdata=[
            [trial.number, text(trial.origin), low, high, trial.measured.samples]
            for trial, (low, high) in zip(trials, ranges, strict=True)
        ],
        hovertemplate="trial %{customdata[0]}, %{customdata[1]}<br>"
        f"%{{y:{form}}}{unit} (%{{customdata[2]:{form}}} to %{{customdata[3]:{form}}}), "
        "%{customdata[4]:,} samples<br>%{x:.1f} % left<extra></extra>",
    )


def _range(trial: Trial) -> tuple[float, float]:
    low, high = trial.measured.low, trial.measured.high
    return trial.value if low is None else low, trial.value if high is None else high


def _bounds(drawn: go.Figure, search: Search) -> go.Figure:
    """Draw the dense model on the same samples, and the worst value that the winner may have."""
    some = search.trials[0]
    dense, scale = some.dense, some.scale
    end = "winner at least" if scale.sign > 0 else "winner at most"
    for level, name, colour in (
        (dense, "dense model", DENSE),
        (dense - scale.sign * search.plan.largest_drop * some.whole, end, REMOVED),
    ):
        drawn.add_hline(
            y=scale.factor * level,
            line={"color": colour, "dash": "dash", "width": 1.5},
            name=name,
            showlegend=True,
        )
    return drawn
