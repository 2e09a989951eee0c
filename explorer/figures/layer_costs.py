"""LayerOutcomes -> parameters and MACs of each layer, before and after, each on an axis of its own."""

from collections.abc import Sequence

import plotly.graph_objects as go

from ..labels import LABELS
from ..values import LayerOutcome
from .style import AFTER, DENSE, GRID, KEPT, figure, nothing, tall, text

LEFT, RIGHT = (0.0, 0.47), (0.53, 1.0)


def layer_costs(outcomes: Sequence[LayerOutcome]) -> go.Figure:
    """Horizontal bars, one row a layer: parameters on the left, MACs on the right."""
    layers = [outcome for outcome in outcomes if outcome.params]
    drawn = figure(
        "Where parameters and multiply-adds are, before and after", LABELS["params"], LABELS["layer"],
        height=tall(2 * len(layers)), barmode="group", xaxis={"domain": LEFT},
        xaxis2={"domain": RIGHT, "title": {"text": LABELS["macs"]}, "anchor": "y", "gridcolor": GRID, "zeroline": False},
    )  # fmt: skip
    drawn.update_xaxes(tickformat="~s")
    drawn.update_yaxes(autorange="reversed", type="category")
    if not layers:
        return nothing(drawn)
    names = [text(layer.name) for layer in layers]
    for field, panel, name, colour in (
        ("params", "x", "before", DENSE), ("pruned_params", "x", "after", KEPT),
        ("nonzero_params", "x", "after, not zero", AFTER), ("macs", "x2", "before", DENSE), ("pruned_macs", "x2", "after", KEPT),
    ):  # fmt: skip
        drawn.add_trace(_bars(names, [getattr(layer, field) for layer in layers], name, colour, panel))
    return drawn


def _bars(names: list[str], amounts: list[int], name: str, colour: str, panel: str) -> go.Bar:
    return go.Bar(
        x=amounts, y=names, xaxis=panel, orientation="h", name=name, legendgroup=name, showlegend=panel == "x",
        marker={"color": colour, "line": {"width": 0}}, hovertemplate=f"%{{y}}, {name}: %{{x:,}}<extra></extra>",
    )  # fmt: skip
