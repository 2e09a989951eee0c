"""WeightHistogram -> the magnitudes of all layers on one scale, with what the recipe removes."""

import plotly.graph_objects as go

from ..inspection.distributions import LayerHistogram, WeightHistogram
from ..words import LABELS
from .style import KEPT, REMOVED, figure, nothing, subtitled, tall, text


def weight_distribution(histogram: WeightHistogram) -> go.Figure:
    """Draw one box for each layer: the middle half of its non-zero magnitudes, whiskers from the 5 % to the
    95 % quantile.
    """
    layers = [layer for layer in histogram.layers if layer.quantiles]
    drawn = figure(
        "How large the weights of each layer are",
        f"{LABELS['magnitude']}, log scale",
        LABELS["layer"],
        height=tall(len(layers)),
    )
    subtitled(drawn, "box: the middle half and the median, whiskers: from 5 to 95 %")
    drawn.update_xaxes(type="log", dtick="D2", exponentformat="power")
    drawn.update_yaxes(autorange="reversed", type="category")
    if not layers:
        return nothing(drawn)
    drawn.add_trace(_boxes(layers))
    cut = [layer for layer in layers if layer.threshold is not None]
    return drawn.add_trace(_thresholds(cut)) if cut else drawn


def _boxes(layers: list[LayerHistogram]) -> go.Box:
    low, q1, median, q3, high = zip(*(layer.quantiles for layer in layers), strict=True)
    return go.Box(
        y=[text(layer.layer) for layer in layers],
        lowerfence=low,
        q1=q1,
        median=median,
        q3=q3,
        upperfence=high,
        orientation="h",
        name="weights",
        marker={"color": KEPT},
        line={"width": 1.5},
        showlegend=False,
    )


def _thresholds(layers: list[LayerHistogram]) -> go.Scatter:
    return go.Scatter(
        x=[layer.threshold for layer in layers],
        y=[text(layer.layer) for layer in layers],
        customdata=[[layer.sparsity] for layer in layers],
        hovertemplate="largest removed |w|: %{x:.3g}<br>%{customdata[0]:.1%} of the layer is "
        "zero<extra></extra>",
        name="largest weight removed",
        mode="markers",
        marker={"symbol": "line-ns", "size": 16, "color": REMOVED, "line": {"width": 3, "color": REMOVED}},
    )
