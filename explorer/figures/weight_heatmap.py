"""WeightImage -> the magnitudes of one layer as a picture, outputs down and inputs across."""

import plotly.graph_objects as go

from ..inspection.distributions import WeightImage
from ..words import LABELS
from .style import figure, nothing, text, without_legend

SCALE = "Cividis"  # made to look the same to people with and without colour blindness (Nuñez et al. 2018)


def weight_heatmap(image: WeightImage | None, layer: str) -> go.Figure:
    """Draw the magnitudes; dark is zero. Axes count outputs and inputs (times kernel positions), even if a
    cell represents a block of them.
    """
    title, y = f"Magnitudes of the weights of {text(layer)}", "Output"
    if image is None or not image.values.numel():
        return nothing(figure(title, "Input", y))
    rows, columns = image.block
    x = (
        "Input"
        if len(image.shape) < 3
        else f"Input and kernel position ({' x '.join(map(str, image.shape[1:]))})"
    )
    drawn = without_legend(figure(title, x, y))
    if image.block != (1, 1):
        told = f"one cell shows the {image.reduction} of {rows} x {columns} weights"
        drawn.update_layout(title_subtitle_text=told, margin_t=80)
    drawn.update_yaxes(autorange="reversed")
    return drawn.add_trace(
        go.Heatmap(
            z=image.values.numpy(),
            x0=(columns - 1) / 2,
            dx=columns,
            y0=(rows - 1) / 2,
            dy=rows,
            colorscale=SCALE,
            zmin=0,
            colorbar={"title": {"text": LABELS["magnitude"], "side": "right"}},
            hovertemplate="output %{y}, input %{x}: %{z:.3g}<extra></extra>",
        )
    )
