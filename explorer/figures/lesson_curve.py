"""Evidence -> accuracy of each arm at each x with its interval, the learner's prediction, and published
figures.
"""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from ..lessons.evidence import ArmPoint, Evidence
from ..lessons.values import Experiment, Published
from ..words import LABELS
from .style import AFTER, DENSE, KEPT, REMOVED, STALE, Mark, figure, nothing, text

COLOURS = (KEPT, REMOVED, AFTER, "#b8639b", "#a07d00", "#6f6fd0", DENSE, "#2f8f8f")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "x", "hexagon")
GUESS = "#c8641e"
HOVER = (
    "%{x:.0f} % removed: %{y:.1f} % (%{customdata[0]:.1f} to %{customdata[1]:.1f}), %{customdata[2]:,} "
    "%{customdata[3]}"
)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "solid", "dash", "longdashdot")


def lesson_curve(
    experiment: Experiment,
    evidence: Evidence | None,
    guess: Mapping[float, float] | None = None,
    published: Sequence[Published] = (),
) -> go.Figure:
    """Draw accuracy against x.

    Args:
        guess: the learner's, x -> accuracy (fraction).
        published: published figures, drawn dotted under their own names.
    """
    drawn = figure("Accuracy after each cut", f"{experiment.axis} (%)", f"{LABELS['accuracy']} (%)")
    drawn.update_xaxes(ticksuffix=" %", range=[-2, _end(experiment, published)]).update_yaxes(range=[-2, 104])
    for place, arm in enumerate(experiment.arms):
        points = evidence.of(arm.name) if evidence else []
        if points:
            drawn.add_trace(_measured(points, arm.label, place))
    dense = next(iter(evidence.dense.values()), None) if evidence else None
    if dense and dense.measured.value is not None and len({arm.model for arm in experiment.arms}) == 1:
        drawn.add_trace(_line([0.0], [dense.measured.value], "dense model", Mark(DENSE, "diamond")))
    if guess:
        xs = sorted(guess)
        drawn.add_trace(
            _line(
                xs,
                [guess[x] for x in xs],
                "your prediction",
                Mark(GUESS, "circle-open", mode="lines+markers", dash="dash"),
            )
        )
    for other in published:
        if other.x:
            drawn.add_trace(
                _line(
                    other.x,
                    other.accuracy,
                    other.name,
                    Mark(STALE, "x-thin-open", mode="lines+markers", dash="dot"),
                )
            )
    # under the plot, since long names side by side would overlap the title on a narrow page
    drawn.update_layout(
        legend={"y": -0.28, "yanchor": "top"}, height=400 + 22 * len(drawn.data), margin={"t": 60}
    )
    return drawn if drawn.data else nothing(drawn)


def _end(experiment: Experiment, published: Sequence[Published]) -> float:
    """Return a value a little beyond the last point, so that small cuts are not crowded at the left."""
    xs = [x for arm in experiment.arms for x in experiment.points_of(arm)] + [
        x for other in published for x in other.x
    ]
    return min(100.0, 100 * max(xs) + 5)


def _measured(points: Sequence[ArmPoint], label: str, place: int) -> go.Scatter:
    rows = [(p, p.measured.value or 0.0, p.measured.low or 0.0, p.measured.high or 1.0) for p in points]
    colour = COLOURS[place % len(COLOURS)]
    return go.Scatter(
        x=[100 * p.x for p, *_ in rows],
        y=[100 * accuracy for _, accuracy, _, _ in rows],
        error_y={
            "array": [100 * (high - accuracy) for _, accuracy, _, high in rows],
            "arrayminus": [100 * (accuracy - low) for _, accuracy, low, _ in rows],
            "thickness": 1,
        },
        customdata=[[100 * low, 100 * high, p.measured.samples, _word(p)] for p, _, low, high in rows],
        hovertemplate=HOVER,
        name=f"measured: {text(label)}",
        mode="lines+markers",
        marker={"color": colour, "symbol": SYMBOLS[place % len(SYMBOLS)], "size": 9},
        line={"color": colour, "dash": DASHES[place % len(DASHES)]},
    )


def _word(point: ArmPoint) -> str:
    return "windows of text" if point.correct.is_floating_point() else "pictures"


def _line(
    x: Sequence[float],
    y: Sequence[float],
    name: str,
    mark: Mark,
) -> go.Scatter:
    return go.Scatter(
        x=[100 * value for value in x],
        y=[100 * value for value in y],
        name=text(name),
        mode=mark.mode,
        hovertemplate="%{x:.1f} %: %{y:.1f} %",
        marker={"color": mark.colour, "symbol": mark.symbol, "size": mark.size, "line": {"width": 2}},
        line={"color": mark.colour, "dash": mark.dash},
    )
