"""Weights of one layer before and after, side by side on one scale: a matrix with holes is not a smaller
matrix.
"""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..inspection.distributions import WeightImage
from ..words import LABELS
from .style import CLEAR, text
from .weight_heatmap import SCALE


def lesson_matrices(pictures: Sequence[tuple[str, WeightImage]], layer: str) -> go.Figure:
    """Draw one picture for each (title, image); dark is zero."""
    titles = [f"{text(title)}<br>{' x '.join(map(str, image.shape))}" for title, image in pictures]
    drawn = make_subplots(
        max(1, len(pictures)), 1, subplot_titles=titles, vertical_spacing=0.16, shared_xaxes="all"
    )
    top = max((float(image.values.max()) for _, image in pictures), default=1.0)
    outputs = pictures[0][1].values.shape[0] if pictures else 1
    for row, (_, image) in enumerate(pictures, 1):
        drawn.add_trace(
            go.Heatmap(
                z=image.values.numpy(),
                colorscale=SCALE,
                zmin=0,
                zmax=top,
                showscale=row == 1,
                colorbar={"title": {"text": LABELS["magnitude"], "side": "right"}},
                hovertemplate="output %{y}, input %{x}: %{z:.3g}<extra></extra>",
            ),
            row,
            1,
        )
        drawn.update_yaxes(title_text="Output", range=[outputs - 0.5, -0.5], row=row, col=1)
    drawn.update_xaxes(title_text="Input (and kernel position)", row=max(1, len(pictures)), col=1)
    drawn.update_layout(
        template="none",
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        title={"text": f"Weights of {text(layer)}"},
        height=140 + 230 * max(1, len(pictures)),
        margin={"t": 100, "r": 20},
    )
    return drawn.update_xaxes(showgrid=False, zeroline=False).update_yaxes(showgrid=False, zeroline=False)
