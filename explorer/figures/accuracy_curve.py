"""Reports -> accuracy against the remaining size of the model, with intervals, the dense model and the
current recipe.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import plotly.graph_objects as go

from ..measuring.metric_words import metric_heading
from ..values.report import Measurement, Report
from ..words import LABELS
from .style import AFTER, DENSE, KEPT, STALE, Mark, figure, nothing

Axis = Literal["params", "size", "macs", "latency", "nonzero_params"]


def _size(measured: Measurement) -> float | None:
    # the bitmask file follows both channels and zeros, and unlike deflate it is always measured
    return (measured.size_bytes or {}).get("bitmask")


def _latency(measured: Measurement) -> float | None:
    return (measured.latency_ms or {}).get("median")


# axis -> title, unit of the amount, how to read it
AXES: dict[str, tuple[str, str, Callable[[Measurement], float | None]]] = {
    "params": ("parameters", "parameters", lambda m: m.params),
    "nonzero_params": ("non-zero parameters", "non-zero parameters", lambda m: m.nonzero_params),
    "macs": ("MACs", LABELS["macs"], lambda m: m.macs),
    "size": ("file size (bitmask format)", "bytes", _size),
    "latency": ("latency", "ms", _latency),
}


@dataclass(frozen=True)
class PlottedPoint:
    """One model on the curve: fraction left, absolute amount, what decides (fractions in per cent) with
    its interval, samples, and loss.
    """

    left: float
    amount: float
    accuracy: float
    low: float
    high: float
    samples: int
    loss: float | None
    unit: str = "%"


def point(measured: Measurement, baseline: Measurement, axis: Axis) -> PlottedPoint | None:
    """Return a measurement as a point, or None if something that it needs was not measured."""
    amount, whole = AXES[axis][2](measured), AXES[axis][2](baseline)
    if not whole or amount is None or measured.value is None:
        return None
    low, high = (measured.value if end is None else end for end in (measured.low, measured.high))
    scale = 100 if measured.unit == "%" else 1
    return PlottedPoint(
        amount / whole,
        amount,
        scale * measured.value,
        scale * low,
        scale * high,
        measured.samples,
        measured.loss,
        measured.unit or "",
    )


def accuracy_curve(
    reports: Sequence[Report], current: Report | None = None, axis: Axis = "params", *, stale: bool = False
) -> go.Figure:
    """Draw accuracy against what is left.

    Args:
        reports: the points of the curve, in any order; those without accuracy or amount are left out.
        current: the user's own recipe, drawn as a star.
        stale: the curve belongs to an older recipe and is drawn grey.
    """
    what, unit, _ = AXES[axis]
    every = [*([current] if current else []), *reports]
    first = next((report.pruned for report in every if report.pruned.metric), None)
    metric, mark = metric_heading(first.metric if first else None), unit_of(first)
    title = f"{metric} against {what} left" + (", being measured again" if stale else "")
    drawn = figure(title, f"{what[0].upper()}{what[1:]} left (% of the dense model)", f"{metric}{mark}")
    drawn.update_xaxes(ticksuffix=" %", rangemode="tozero")
    curve = sorted((p for r in reports if (p := point(r.pruned, r.baseline, axis))), key=lambda p: p.left)
    own = point(current.pruned, current.baseline, axis) if current else None
    reference = next((r.baseline for r in (*([current] if current else []), *reports)), None)
    dense = point(reference, reference, axis) if reference else None
    colour = STALE if stale else KEPT
    if curve:
        drawn.add_trace(
            trace(curve, "this recipe, weaker and stronger", unit, Mark(colour, "circle", 7, "lines+markers"))
        )
    if dense:
        drawn.add_trace(trace([dense], "dense model", unit, Mark(DENSE, "diamond", 11)))
    if own:
        drawn.add_trace(trace([own], "your recipe", unit, Mark(AFTER, "star", 16)))
    return drawn if drawn.data else nothing(drawn)


def unit_of(measured: Measurement | None) -> str:
    """Return the unit of a metric, to follow the title of an axis.

    >>> unit_of(Measurement(accuracy=0.5)), unit_of(Measurement(metric="r2", value=0.5, unit=""))
    (' (%)', '')
    """
    unit = "%" if measured is None else measured.unit
    return f" ({unit})" if unit else ""


def _told(loss: float | None) -> str:
    return "" if loss is None else f"loss {loss:.3f}<br>"


def trace(
    points: Sequence[PlottedPoint],
    name: str,
    unit: str,
    mark: Mark,
) -> go.Scatter:
    """Draw points with their intervals; the hover text says what the amounts are."""
    metric = points[0].unit if points else "%"
    form, sign = (".1f", " %") if metric == "%" else (".4g", f" {metric}".rstrip())
    up, down = [p.high - p.accuracy for p in points], [p.accuracy - p.low for p in points]
    return go.Scatter(
        x=[100 * p.left for p in points],
        y=[p.accuracy for p in points],
        error_y={"array": up, "arrayminus": down, "thickness": 1},
        customdata=[[p.amount, p.low, p.high, p.samples, _told(p.loss)] for p in points],
        hovertemplate=(
            f"%{{y:{form}}}{sign} (%{{customdata[1]:{form}}} to %{{customdata[2]:{form}}}), "
            "%{customdata[3]:,} samples<br>%{customdata[4]}"
            f"%{{x:.1f}} % left: %{{customdata[0]:,}} {unit}"
        ),
        name=name,
        mode=mark.mode,
        marker={"color": mark.colour, "symbol": mark.symbol, "size": mark.size},
        line={"color": mark.colour, "dash": mark.dash},
    )
