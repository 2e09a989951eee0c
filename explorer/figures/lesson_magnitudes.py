"""WeightHistogram -> the magnitudes of all weights of the network, and where cuts of 10, 50 and 90 % would
be.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import plotly.graph_objects as go

from ..inspection.distributions import WeightHistogram
from ..words import LABELS
from .style import KEPT, REMOVED, figure, nothing

CUTS = (0.1, 0.5, 0.9)


def lesson_magnitudes(histogram: WeightHistogram) -> go.Figure:
    """Draw bars of all layers together, with a line at the largest weight that each cut removes."""
    drawn = figure("How large the weights of this network are", LABELS["magnitude"], "Weights", height=380)
    counts = [
        sum(layer.counts[place] for layer in histogram.layers) for place in range(len(histogram.edges) - 1)
    ]
    if not sum(counts):
        return nothing(drawn)
    edges = histogram.edges
    drawn.add_trace(
        go.Bar(
            x=[(low + high) / 2 for low, high in pairwise(edges)],
            y=counts,
            marker_color=KEPT,
            showlegend=False,
            width=[high - low for low, high in pairwise(edges)],
            hovertemplate="%{y:,} weights of about %{x:.2g}<extra></extra>",
        )
    )
    for cut in CUTS:
        drawn.add_vline(
            x=threshold(counts, edges, cut),
            line={"color": REMOVED, "dash": "dash", "width": 2},
            annotation={"text": f"{100 * cut:g} %", "yref": "paper", "y": 1.06, "showarrow": False},
        )
    return drawn


def threshold(counts: Sequence[int], edges: Sequence[float], share: float) -> float:
    """Return the magnitude below which a share of the weights is, to the width of a bin.

    >>> threshold([5, 5], [0.0, 1.0, 2.0], 0.5)
    1.0
    """
    sums, wanted = list(accumulate(counts)), share * sum(counts)
    return next(edges[place + 1] for place, below in enumerate(sums) if below >= wanted)
