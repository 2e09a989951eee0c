"""A metric in each group of a task, dense and pruned, with the interval of the change."""

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from ..measuring.metric_words import change_unit, hover_form
from ..studies.who_pays import GroupChange, GroupedChange
from ..values.metric import Scale
from .class_accuracy import LEFT, change_axis
from .style import AFTER, DENSE, REMOVED, STALE, figure, nothing, subtitled, tall, text

SHOWN = 40  # groups; if there are more, those that changed most


def shown_groups(kind: GroupedChange, most: int = SHOWN) -> tuple[GroupChange, ...]:
    """Return the groups to draw, in their own order; if there are too many, those that changed most."""
    if len(kind.groups) <= most:
        return kind.groups
    order = sorted(range(len(kind.groups)), key=lambda k: (-abs(kind.groups[k].drop.estimate), k))
    return tuple(kind.groups[k] for k in sorted(order[:most]))


def group_values(kind: GroupedChange | None) -> go.Figure:
    """Draw one row per group: the metric of both models on the left, the change with its 95 % interval on the
    right.
    """
    groups = shown_groups(kind) if kind else ()
    scale = kind.scale if kind else Scale()
    unit = change_unit(scale).strip() if kind else ""  # which metric it will be is not known yet
    heading = _heading(kind.metric) if kind else "Metric"
    drawn = figure(
        f"{heading} in each group, before and after",
        heading + (f" ({scale.unit})" if kind and scale.unit else ""),
        kind.title if kind else "Group",
        height=tall(len(groups)),
        xaxis={"domain": LEFT},
        xaxis2=change_axis(f"Change ({unit})" if unit else "Change"),
    )
    drawn.update_yaxes(autorange="reversed", type="category")
    if kind is None or not groups:
        return nothing(drawn)
    if len(groups) < len(kind.groups):
        subtitled(drawn, f"the {len(groups)} of {len(kind.groups):,} groups that changed most")
    drawn.add_trace(_links(groups, scale))
    drawn.add_trace(_dots(groups, scale, "before", DENSE, "circle-open"))
    drawn.add_trace(_dots(groups, scale, "after", AFTER, "circle"))
    for differs, name, colour in ((True, "beyond noise", REMOVED), (False, "may be noise", STALE)):
        chosen = [group for group in groups if group.differs is differs]
        if chosen:
            drawn.add_trace(_changes(chosen, scale, name, colour))
    return drawn


def _heading(title: str) -> str:
    return title[:1].upper() + title[1:]


def _links(groups: Sequence[GroupChange], scale: Scale) -> go.Scatter:
    x, y = [], []
    for group in groups:
        x += [scale.factor * group.before, scale.factor * group.after, None]
        y += [text(group.name)] * 2 + [None]
    return go.Scatter(
        x=x, y=y, mode="lines", line={"color": STALE, "width": 3}, hoverinfo="skip", showlegend=False
    )


def _dots(groups: Sequence[GroupChange], scale: Scale, name: str, colour: str, symbol: str) -> go.Scatter:
    form, unit = hover_form(scale)
    return go.Scatter(
        x=[scale.factor * getattr(group, name) for group in groups],
        y=[text(group.name) for group in groups],
        mode="markers",
        name=name,
        marker={"color": colour, "symbol": symbol, "size": 11, "line": {"width": 2, "color": colour}},
        customdata=[[group.samples] for group in groups],
        hovertemplate=f"%{{y}}, {name}: %{{x:{form}}}{unit}, in %{{customdata[0]:,}} samples<extra></extra>",
    )


def _changes(chosen: Sequence[GroupChange], scale: Scale, name: str, colour: str) -> go.Scatter:
    drops = [group.drop for group in chosen]
    form, unit = hover_form(scale)[0], change_unit(scale)
    ends = [(-scale.factor * drop.high, -scale.factor * drop.low) for drop in drops]
    middles = [-scale.factor * drop.estimate for drop in drops]
    return go.Scatter(
        x=middles,
        y=[text(group.name) for group in chosen],
        xaxis="x2",
        mode="markers",
        name=name,
        marker={"color": colour, "size": 8},
        error_x={
            "array": [_finite(high - x) for (_, high), x in zip(ends, middles, strict=True)],
            "arrayminus": [_finite(x - low) for (low, _), x in zip(ends, middles, strict=True)],
            "thickness": 1.5,
        },
        customdata=ends,
        hovertemplate=f"%{{y}}: %{{x:+{form}}}{unit} (%{{customdata[0]:+{form}}} to "
        f"%{{customdata[1]:+{form}}})<extra></extra>",
    )


def _finite(length: float) -> float:
    return length if math.isfinite(length) else 0.0
