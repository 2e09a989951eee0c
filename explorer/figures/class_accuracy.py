"""Behaviour -> accuracy of each class, dense and pruned, with the interval of the change."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from ..studies.behaviour import Behaviour, ClassChange
from ..words import LABELS
from .style import AFTER, DENSE, GRID, REMOVED, STALE, figure, nothing, subtitled, tall, text

SHOWN = 40  # number of classes; if there are more, those that changed most
LEFT, RIGHT = (0.0, 0.62), (0.68, 1.0)
HALF = 0.52  # if no class is less accurate than this, the lower half of the scale is left out


def change_axis(title: str) -> dict[str, Any]:
    """Return the axis of the changes to the right of the values, with a line at zero."""
    return {
        "domain": RIGHT,
        "title": {"text": title},
        "anchor": "y",
        "gridcolor": GRID,
        "zeroline": True,
        "zerolinecolor": DENSE,
        "automargin": True,
    }


def shown_classes(behaviour: Behaviour, most: int = SHOWN) -> tuple[ClassChange, ...]:
    """Return the classes to draw, in their own order; if there are too many, those whose accuracy changed
    most.
    """
    found = behaviour.classes
    if len(found) <= most:
        return found
    chosen = sorted(found, key=lambda change: (-abs(change.drop.estimate), change.number))[:most]
    return tuple(sorted(chosen, key=lambda change: change.number))


def class_accuracy(behaviour: Behaviour | None) -> go.Figure:
    """Draw one row per class: accuracy of both models on the left, the change with its 95 % interval on the
    right.
    """
    classes = shown_classes(behaviour) if behaviour else ()
    drawn = figure(
        "Accuracy of each class, before and after",
        f"{LABELS['accuracy']} (%)",
        "Class",
        height=height_of(len(classes)),
        xaxis={"domain": LEFT, "range": _reach(classes)},
        xaxis2=change_axis("Change (points)"),
    )
    drawn.update_yaxes(autorange="reversed", type="category")
    if behaviour is None or not classes:
        return nothing(drawn)
    if len(classes) < len(behaviour.classes):
        subtitled(drawn, f"the {len(classes)} of {len(behaviour.classes):,} classes that changed most")
    names = [text(behaviour.name(change.number)) for change in classes]
    drawn.add_trace(_links(classes, names))
    drawn.add_trace(_dots(classes, names, "before", DENSE, "circle-open"))
    drawn.add_trace(_dots(classes, names, "after", AFTER, "circle"))
    for differs, name, colour, symbol in (
        (True, "beyond noise", REMOVED, "diamond"),
        (False, "may be noise", STALE, "diamond-open"),
    ):
        chosen = [
            (change, label) for change, label in zip(classes, names, strict=True) if change.differs is differs
        ]
        if chosen:
            drawn.add_trace(_changes(chosen, name, colour, symbol))
    return drawn


def height_of(classes: int) -> int:
    """Return the height in pixels with so many classes."""
    return tall(min(classes, SHOWN))


def _reach(classes: Sequence[ClassChange]) -> list[float]:
    """Return the whole scale, or its upper half if no class is below it; a finer choice would jump while a
    fader moves.
    """
    lowest = min((min(found.before, found.after) / found.samples for found in classes), default=0.0)
    return [48.5, 101.5] if lowest >= HALF else [-3, 103]


def _links(classes: Sequence[ClassChange], names: list[str]) -> go.Scatter:
    x, y = [], []
    for found, name in zip(classes, names, strict=True):
        x += [100 * found.before / found.samples, 100 * found.after / found.samples, None]
        y += [name, name, None]
    return go.Scatter(
        x=x, y=y, mode="lines", line={"color": STALE, "width": 3}, hoverinfo="skip", showlegend=False
    )


def _dots(
    classes: Sequence[ClassChange], names: list[str], name: str, colour: str, symbol: str
) -> go.Scatter:
    correct = [getattr(one, name) for one in classes]
    return go.Scatter(
        x=[100 * right / one.samples for right, one in zip(correct, classes, strict=True)],
        y=names,
        mode="markers",
        name=name,
        marker={"color": colour, "symbol": symbol, "size": 11, "line": {"width": 2, "color": colour}},
        customdata=[[right, one.samples] for right, one in zip(correct, classes, strict=True)],
        hovertemplate=f"%{{y}}, {name}: %{{x:.1f}} %, %{{customdata[0]:,}} of "
        f"%{{customdata[1]:,}}<extra></extra>",
    )


def _changes(chosen: list[tuple[ClassChange, str]], name: str, colour: str, symbol: str) -> go.Scatter:
    drops = [change.drop for change, _ in chosen]
    return go.Scatter(
        x=[-100 * drop.estimate for drop in drops],
        y=[label for _, label in chosen],
        xaxis="x2",
        mode="markers",
        name=name,
        marker={"color": colour, "size": 8, "symbol": symbol},
        error_x={
            "array": [100 * (d.estimate - d.low) for d in drops],
            "arrayminus": [100 * (d.high - d.estimate) for d in drops],
            "thickness": 1.5,
        },
        customdata=[
            [-100 * d.high, -100 * d.low, change.p_value]
            for (change, _), d in zip(chosen, drops, strict=True)
        ],
        hovertemplate="%{y}: %{x:+.1f} points (%{customdata[0]:+.1f} to %{customdata[1]:+.1f})<br>"
        "p = %{customdata[2]:.3g} among all classes<extra></extra>",
    )
