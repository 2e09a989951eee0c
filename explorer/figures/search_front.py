"""Search -> accuracy against the remaining cost, one point for each trial, with the front and the winner's
allowed drop.
"""

from collections.abc import Sequence

import plotly.graph_objects as go

from ..measuring.statistics import wilson
from ..studies.search_trials import Search, Trial
from ..words import LABELS
from .style import AFTER, DENSE, KEPT, REMOVED, STALE, figure, nothing, text

COST_TITLES = {"params": "Non-zero parameters left (%)", "macs": "MACs left (%)"}


def search_front(search: Search | None, chosen: int | None = None) -> go.Figure:
    """Draw trials as dots; the stepped line is the front: the best accuracy for this cost or less.

    Args:
        chosen: number of the trial that gets a ring.
    """
    cost = search.plan.cost if search else "params"
    drawn = figure("What was tried", COST_TITLES[cost], f"{LABELS['accuracy']} (%)", height=420)
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
        y=[100 * trial.accuracy for trial in front],
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        line={"color": KEPT, "width": 1.5, "dash": "dot", "shape": "hv"},
    )


def _dots(
    trials: Sequence[Trial], name: str, colour: str, symbol: str, *, bars: bool, size: int = 9
) -> go.Scatter:
    ranges = [wilson(trial.correct, trial.samples) for trial in trials]
    above = [100 * (high - trial.accuracy) for trial, (_, high) in zip(trials, ranges, strict=True)]
    below = [100 * (trial.accuracy - low) for trial, (low, _) in zip(trials, ranges, strict=True)]
    return go.Scatter(
        x=[100 * trial.cost for trial in trials],
        y=[100 * trial.accuracy for trial in trials],
        mode="markers",
        name=name,
        error_y={"array": above, "arrayminus": below, "thickness": 1, "width": 3} if bars else None,
        marker={"color": colour, "size": size, "symbol": symbol, "line": {"width": 1.5}},
        customdata=[
            [trial.number, text(trial.origin), 100 * low, 100 * high, trial.samples]
            for trial, (low, high) in zip(trials, ranges, strict=True)
        ],
        hovertemplate="trial %{customdata[0]}, %{customdata[1]}<br>%{y:.1f} % (%{customdata[2]:.1f} to "
        "%{customdata[3]:.1f}), "
        "%{customdata[4]:,} samples<br>%{x:.1f} % left<extra></extra>",
    )


def _bounds(drawn: go.Figure, search: Search) -> go.Figure:
    """Draw the dense model's accuracy on the same samples, and the lowest accuracy that the winner may
    have.
    """
    some = search.trials[0]
    dense = some.accuracy + some.drop.estimate
    for level, name, colour in (
        (dense, "dense model", DENSE),
        (dense - search.plan.largest_drop, "winner at least", REMOVED),
    ):
        drawn.add_hline(
            y=100 * level, line={"color": colour, "dash": "dash", "width": 1.5}, name=name, showlegend=True
        )
    return drawn
