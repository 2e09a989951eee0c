"""WeightHistogram -> the magnitudes of one layer: what is kept, what is removed, and where the cut is."""

import numpy as np
import plotly.graph_objects as go

from ..inspection.distributions import WeightHistogram
from ..words import LABELS
from .style import KEPT, REMOVED, figure, nothing, text, without_legend


def layer_histogram(histogram: WeightHistogram, layer: str) -> go.Figure:
    """Draw bars of the kept weights with the removed ones on top, in the bins of the histogram."""
    drawn = figure(
        f"Weights of {text(layer)} by magnitude",
        LABELS["magnitude"],
        "Weights in the bin",
        barmode="stack",
        bargap=0,
    )
    chosen = next((chosen for chosen in histogram.layers if chosen.layer == layer), None)
    if chosen is None or not sum(chosen.counts):
        return nothing(drawn)
    edges, counts, removed = (
        np.array(histogram.edges),
        np.array(chosen.counts),
        np.array(chosen.removed_counts),
    )
    if histogram.scale == "log":
        drawn.update_xaxes(type="log", dtick="D2", exponentformat="power")
    for name, heights, colour in (("kept", counts - removed, KEPT), ("removed", removed, REMOVED)):
        if heights.any():
            drawn.add_trace(_bars(edges, heights, name, colour))
    if chosen.threshold is not None:
        # a log axis wants shapes in data units, but annotations as powers of ten, so the label is in the
        # legend
        drawn.add_shape(
            type="line",
            x0=chosen.threshold,
            x1=chosen.threshold,
            y0=0,
            y1=1,
            yref="paper",
            name="largest weight removed",
            showlegend=True,
            line={"color": REMOVED, "dash": "dash", "width": 2},
        )
    return drawn if chosen.threshold is not None or removed.any() else without_legend(drawn)


def _bars(edges: np.ndarray, heights: np.ndarray, name: str, colour: str) -> go.Bar:
    return go.Bar(
        x=edges[:-1],
        width=np.diff(edges),
        offset=0,
        y=heights,
        name=name,
        marker={"color": colour, "line": {"width": 0}},
        customdata=edges[1:],
        hovertemplate=f"%{{y:,}} {name}, |w| from %{{x:.3g}} to %{{customdata:.3g}}<extra></extra>",
    )
