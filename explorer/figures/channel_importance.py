"""GroupImportance -> the units of one coupled group, most important first, with the cut."""

from collections.abc import Collection

import numpy as np
import plotly.graph_objects as go

from ..inspection.distributions import GroupImportance
from ..values.granularity import CHANNEL
from .style import KEPT, REMOVED, figure, nothing, text, without_legend

HEIGHT = 340  # pixels, which leaves room for what is done with the bars
FEW = 20  # bars that all get a number under them


def channel_importance(
    importance: GroupImportance | None, criterion: str, unit: str = CHANNEL, by_hand: Collection[int] = ()
) -> go.Figure:
    """Draw sorted bars, removed ones coloured, with a line behind the last one that would be kept if nothing
    were chosen by hand.

    Args:
        importance: of one group; None draws an empty figure.
        criterion: the criterion whose scale the bars are on.
        unit: what one bar is, such as channel or head.
        by_hand: units that were kept or removed by hand; they are hatched.
    """
    group = text(importance.group) if importance else "a group"
    title = f"How much each {text(unit)} of {group} matters"
    x, y = (
        f"{text(unit).capitalize()}s, most important first (rank)",
        f"Importance ({text(criterion)}, its own scale)",
    )
    drawn = figure(title, x, y, bargap=0.1, height=HEIGHT)
    if importance is None or not importance.units:
        return nothing(drawn)
    kept, values = np.array(importance.kept), np.array(importance.values, dtype=np.float32)
    ranks, numbers = np.arange(1, len(values) + 1), np.array(importance.units)
    hand = np.isin(numbers, list(by_hand))
    drawn.update_xaxes(**({"dtick": 1} if len(values) <= FEW else {}))
    bands = (
        ("kept", kept & ~hand, KEPT, ""),
        ("kept by hand", kept & hand, KEPT, "/"),
        ("removed", ~kept & ~hand, REMOVED, ""),
        ("removed by hand", ~kept & hand, REMOVED, "/"),
    )
    for name, chosen, colour, shape in bands:
        if chosen.any():
            hover = f"{text(unit)} %{{customdata}}, rank %{{x}}: %{{y:.4g}}, {name}<extra></extra>"
            bars = go.Bar(
                x=ranks[chosen], y=values[chosen], customdata=numbers[chosen], name=name, hovertemplate=hover
            )
            drawn.add_trace(
                bars.update(
                    marker={"color": colour, "line": {"width": 0}, "pattern": {"shape": shape, "size": 6}}
                )
            )
    if kept.all():
        return drawn if hand.any() else without_legend(drawn)
    return drawn.add_vline(x=int(kept.sum()) + 0.5, line={"color": REMOVED, "dash": "dash"})
