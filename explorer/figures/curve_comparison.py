"""Several lines of Reports on the same axes: channels next to single weights, and random choices next to
both.
"""

from collections.abc import Container, Mapping, Sequence

import plotly.graph_objects as go

from ..values.report import Report
from ..words import LABELS
from .accuracy_curve import AXES, Axis, point, trace
from .style import AFTER, DENSE, KEPT, REMOVED, STALE, Mark, figure, nothing, text

COLOURS = (KEPT, REMOVED, AFTER)
HEIGHT = 500  # pixels
SYMBOLS = ("circle", "square", "triangle-up")


def curve_comparison(
    lines: Mapping[str, Sequence[Report]],
    current: Report | None = None,
    axis: Axis = "nonzero_params",
    *,
    controls: Container[str] = (),
    stale: bool = False,
) -> go.Figure:
    """Draw accuracy against what is left, a line for each family.

    Args:
        lines: name -> Reports in any order; those without accuracy or amount are left out.
        current: the user's own recipe, drawn as a star; an open one is what least squares makes of it.
        controls: names of lines that are drawn dashed with open symbols; they come after the lines that they
            control, in the same order.
        stale: the lines belong to another question and are drawn grey.
    """
    what, unit, _ = AXES[axis]
    title = f"Accuracy against {what} left" + (", being measured again" if stale else "")
    drawn = figure(
        title, f"{what[0].upper()}{what[1:]} left (% of the dense model)", f"{LABELS['accuracy']} (%)"
    )
    drawn.update_xaxes(ticksuffix=" %", rangemode="tozero")
    # below the plot, because many lines make many rows
    drawn.update_layout(legend={"y": -0.24, "yanchor": "top"}, margin={"t": 60}, height=HEIGHT)
    own = [name for name in lines if name not in controls]
    for names, is_control in ((own, False), ([name for name in lines if name in controls], True)):
        for place, name in enumerate(names):
            points = sorted(
                (p for r in lines[name] if (p := point(r.pruned, r.baseline, axis))), key=lambda p: p.left
            )
            if points:
                colour = STALE if stale else COLOURS[place % len(COLOURS)]
                symbol = SYMBOLS[place % len(SYMBOLS)] + ("-open" if is_control else "")
                dash = "dot" if is_control else "solid"
                drawn.add_trace(
                    trace(points, text(name), unit, Mark(colour, symbol, 7, "lines+markers", dash))
                )
    reference = next(
        (r.baseline for reports in ([current] if current else [], *lines.values()) for r in reports), None
    )
    for measured, base, name, colour, symbol, size in (
        (reference, reference, "dense model", DENSE, "diamond", 11),
        (
            current.pruned if current else None,
            current.baseline if current else None,
            "your recipe",
            AFTER,
            "star",
            16,
        ),
        (
            current.repaired if current else None,
            current.baseline if current else None,
            "your recipe, repaired",
            AFTER,
            "star-open",
            16,
        ),
    ):
        found = point(measured, base, axis) if measured and base else None
        if found:
            drawn.add_trace(trace([found], name, unit, Mark(colour, symbol, size)))
    return drawn if drawn.data else nothing(drawn)
