"""Behaviour -> how often the two models are right at each level of confidence."""

import plotly.graph_objects as go

from ..measuring.statistics import wilson
from ..studies.behaviour import Behaviour
from ..studies.reliability import Bin, Reliability
from .style import AFTER, DENSE, Mark, figure, nothing

HEIGHT = 420  # pixels


def reliability_diagram(behaviour: Behaviour | None) -> go.Figure:
    """Draw a point for each bin with its 95 % interval, its size showing how full the bin is; points on the
    dashed line have honest confidence.
    """
    drawn = figure(
        "Is the model right as often as it is confident?",
        "Mean confidence in the bin (%)",
        "Right (%)",
        height=HEIGHT,
    )
    drawn.update_xaxes(range=[0, 103]).update_yaxes(range=[-3, 103])
    if behaviour is None:
        return nothing(drawn)
    drawn.add_trace(
        go.Scatter(
            x=[0, 100],
            y=[0, 100],
            mode="lines",
            name="honest",
            line={"color": DENSE, "dash": "dash"},
            hoverinfo="skip",
        )
    )
    sides = (
        ("before", behaviour.before.reliability, Mark(DENSE, "circle-open", dash="dot")),
        ("after", behaviour.after.reliability, Mark(AFTER, "circle")),
    )
    for name, found, mark in sides[: 1 if behaviour.before == behaviour.after else 2]:
        drawn.add_trace(_points(found, name, mark))
    return drawn


def _points(reliability: Reliability, name: str, mark: Mark) -> go.Scatter:
    filled = [entry for entry in reliability.bins if entry.samples]
    right = [100 * entry.correct / entry.samples for entry in filled]
    reach = [wilson(entry.correct, entry.samples) for entry in filled]
    return go.Scatter(
        x=[100 * entry.confidence / entry.samples for entry in filled],
        y=right,
        mode="lines+markers",
        name=name,
        marker={
            "color": mark.colour,
            "symbol": mark.symbol,
            "size": [_size(entry, reliability.samples) for entry in filled],
        },
        line={"color": mark.colour, "width": 1, "dash": mark.dash},
        error_y={
            "array": [100 * high - y for (_, high), y in zip(reach, right, strict=True)],
            "arrayminus": [y - 100 * low for (low, _), y in zip(reach, right, strict=True)],
            "thickness": 1,
        },
        customdata=[
            [100 * low, 100 * high, entry.samples] for (low, high), entry in zip(reach, filled, strict=True)
        ],
        hovertemplate="%{x:.1f} % sure, %{y:.1f} % right (%{customdata[0]:.1f} to %{customdata[1]:.1f}), "
        f"%{{customdata[2]:,}} samples<extra>{name}</extra>",
    )


def _size(entry: Bin, samples: int) -> float:
    return 5 + 15 * (entry.samples / samples) ** 0.5
