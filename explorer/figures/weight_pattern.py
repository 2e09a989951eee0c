"""Pattern -> where a weight is not zero; FilterNorms -> how large each filter is, before and after."""

import numpy as np
import plotly.graph_objects as go

from ..inspection.weight_patterns import FilterNorms, Pattern
from .style import AFTER, DENSE, REMOVED, figure, nothing, text

DENSITIES = [[0, "rgba(213, 94, 0, 0.9)"], [0.5, "rgba(128, 128, 128, 0.5)"], [1, "rgba(47, 134, 201, 0.9)"]]


def weight_pattern(pattern: Pattern | None, layer: str) -> go.Figure:
    """Draw kept weights in blue and zeros in orange; if a cell represents a block of weights, the mixture
    shows how much of it is kept.
    """
    title = f"Zeros of {text(layer)}"
    drawn = figure(title, "Input, one kernel position after the other", "Output", margin_t=70)
    if pattern is None or not pattern.density.numel():
        return nothing(drawn)
    outputs, positions, inputs = pattern.shape
    rows, columns = pattern.block
    each = (
        "each cell is one weight"
        if pattern.block == (1, 1)
        else f"a cell is the density of {rows} x {columns} weights"
    )
    drawn.update_layout(
        title_subtitle_text=f"{outputs:,} outputs, {positions} kernel positions of {inputs:,} inputs; {each}"
    )
    drawn.update_yaxes(autorange="reversed")
    return drawn.add_trace(
        go.Heatmap(
            z=pattern.density.numpy(),
            x0=(columns - 1) / 2,
            dx=columns,
            y0=(rows - 1) / 2,
            dy=rows,
            zmin=0,
            zmax=1,
            colorscale=DENSITIES,
            colorbar={"title": {"text": "Density (fraction kept)", "side": "right"}},
            hovertemplate="output %{y}, column %{x}: %{z:.0%} kept<extra></extra>",
        )
    )


def filter_norms(norms: FilterNorms | None, layer: str) -> go.Figure:
    """Draw one bar for each output, in the order of the model; hollow for before, filled for what is left."""
    drawn = figure(
        f"Norm of each filter of {text(layer)}",
        "Output",
        "l2 norm of its weights",
        barmode="overlay",
        bargap=0.1,
    )
    if norms is None or not norms.before:
        return nothing(drawn)
    before, after = (np.array(values, dtype=np.float32) for values in (norms.before, norms.after))
    drawn.add_trace(_bars(before, "before", DENSE, 0.45))
    if not np.array_equal(before, after):
        drawn.add_trace(_bars(after, "after", AFTER, 0.9))
        gone = np.flatnonzero((after == 0) & (before > 0))
        if len(gone):
            drawn.add_trace(
                go.Scatter(
                    x=gone,
                    y=before[gone],
                    mode="markers",
                    name="removed whole",
                    marker={"symbol": "x", "color": REMOVED, "size": 6},
                    hovertemplate="output %{x}: removed<extra></extra>",
                )
            )
    return drawn


def _bars(heights: np.ndarray, name: str, colour: str, opacity: float) -> go.Bar:
    return go.Bar(
        y=heights,
        name=name,
        marker={"color": colour, "line": {"width": 0}},
        opacity=opacity,
        hovertemplate=f"output %{{x}}, {name}: %{{y:.3g}}<extra></extra>",
    )
