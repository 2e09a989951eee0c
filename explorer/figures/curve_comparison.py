"""Several lines of Reports on the same axes: channels next to single weights, and random choices next to
both.
"""

from collections.abc import Container, Mapping, Sequence

import plotly.graph_objects as go

from ..measuring.metric_words import metric_heading
from ..values.report import Report
from .accuracy_curve import AXES, Axis, point, trace, unit_of
from .live_marks import OWN
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
    kept: Mapping[str, Report] | None = None,
) -> go.Figure:
    """Draw what decides (such as accuracy) against what is left, a line for each family.

    Args:
        lines: name -> Reports in any order; those without accuracy or amount are left out.
        current: the user's own recipe, drawn as a star; an open one is what least squares makes of it.
        controls: names of lines that are drawn dashed with open symbols; they come after the lines that they
            control, in the same order.
        stale: the lines belong to another question and are drawn grey.
        kept: name -> Report of runs that were kept, drawn as small marks.
    """
    what, unit, _ = AXES[axis]
    every = [*([current] if current else []), *(report for reports in lines.values() for report in reports)]
    first = next((report.pruned for report in every if report.pruned.metric), None)
    metric = metric_heading(first.metric if first else None)
    title = f"{metric} against {what} left" + (", being measured again" if stale else "")
    drawn = figure(title, f"{what[0].upper()}{what[1:]} left (% of the dense model)", metric + unit_of(first))
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
    _add_kept(drawn, kept or {}, axis, unit)
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
            mark = trace([found], name, unit, Mark(colour, symbol, size))
            drawn.add_trace(mark.update(meta=OWN if symbol == "star" else None))
    return drawn if drawn.data else nothing(drawn)


def _add_kept(drawn: go.Figure, kept: Mapping[str, Report], axis: Axis, unit: str) -> None:
    """Add the kept runs as small marks without intervals; the hover text names each."""
    found = {name: p for name, run in kept.items() if (p := point(run.pruned, run.baseline, axis))}
    if found:
        marks = trace(list(found.values()), "kept runs", unit, Mark(DENSE, "x-thin-open", 7))
        marks.update(text=[text(name) for name in found], error_y=None)
        drawn.add_trace(marks.update(hovertemplate=f"%{{text}}<br>{marks.hovertemplate}"))
