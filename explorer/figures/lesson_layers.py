"""Weights of each layer -> which layers have most of a network's weights."""

from collections.abc import Mapping

import plotly.graph_objects as go

from .style import KEPT, figure, nothing, tall, text


def lesson_layers(weights: Mapping[str, int]) -> go.Figure:
    """Draw bars, in the order of the layers, with their share of all weights.

    Args:
        weights: layer -> number of weights.
    """
    total, names = sum(weights.values()), [text(name) for name in weights]
    drawn = figure("How many weights each layer holds", "Weights", "", height=tall(len(weights)))
    drawn.update_yaxes(autorange="reversed", type="category", automargin=True)
    if not total:
        return nothing(drawn)
    return drawn.add_trace(
        go.Bar(
            x=list(weights.values()),
            y=names,
            orientation="h",
            marker_color=KEPT,
            showlegend=False,
            text=[f"{100 * count / total:.0f} %" for count in weights.values()],
            textposition="auto",
            hovertemplate="%{y}: %{x:,} weights, %{text} of all<extra></extra>",
        )
    )
