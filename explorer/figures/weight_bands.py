"""WeightBands -> the weights of all layers on one scale, before and after, with the thresholds of the recipe."""

from collections.abc import Sequence

import plotly.graph_objects as go

from ..bands import WeightBand
from ..labels import LABELS
from .style import AFTER, DENSE, REMOVED, figure, nothing, text

NAMED = 40  # layers up to which each is named on the axis; of more, evenly spaced ones
WIDE, NARROW = 0.8, 0.36  # of the room that a layer has


def weight_bands(bands: Sequence[WeightBand]) -> go.Figure:
    """Two bars a layer: pale from the 5 % to the 95 % quantile, strong for the middle half, with the median."""
    found = [band for band in bands if band.before]
    drawn = figure("How large the weights of each layer are", LABELS["layer"], f"{LABELS['magnitude']}, log scale", height=480)
    drawn.update_layout(title_subtitle_text="strong: the middle half, pale: from 5 to 95 %, line: the median", barmode="overlay")
    drawn.update_yaxes(type="log", exponentformat="power", dtick=1)
    if not found:
        return nothing(drawn)
    names = [text(band.layer) for band in found]
    step = -(-len(found) // NAMED)
    drawn.update_xaxes(tickvals=list(range(0, len(found), step)), ticktext=[_short(n) for n in names[::step]], tickangle=-55,
                       showgrid=False, range=[-0.7, len(found) - 0.3])  # fmt: skip
    changed = any(band.after != band.before for band in found)
    _add_bars(drawn, found, names, "before", DENSE, -0.2 if changed else 0.0, NARROW if changed else WIDE)
    if changed:
        _add_bars(drawn, found, names, "after", AFTER, 0.2, NARROW)
    return _with_thresholds(drawn, found, names)


def _short(name: str) -> str:
    """The end of a long name, which tells layers of one block apart.

    >>> _short("features.denseblock1.denselayer1.conv1")
    '…denselayer1.conv1'
    """
    return name if len(name) <= 24 else "…" + ".".join(name.split(".")[-2:])[-23:]


def _add_bars(
    drawn: go.Figure, bands: Sequence[WeightBand], names: list[str], which: str, colour: str, shift: float, width: float
) -> None:
    rows = [(place + shift, getattr(band, which), names[place]) for place, band in enumerate(bands) if getattr(band, which)]
    for low, high, opacity in ((0, 4, 0.35), (1, 3, 0.9)):
        drawn.add_trace(go.Bar(
            x=[x for x, _, _ in rows], base=[q[low] for _, q, _ in rows], y=[q[high] - q[low] for _, q, _ in rows], width=width,
            marker={"color": colour, "line": {"width": 0}}, opacity=opacity, name=which, legendgroup=which,
            showlegend=opacity > 0.5, customdata=[[name, *q] for _, q, name in rows],
            hovertemplate=f"%{{customdata[0]}}, {which}<br>5 %: %{{customdata[1]:.3g}}, 25 %: %{{customdata[2]:.3g}}, median: "
                          "%{customdata[3]:.3g}, 75 %: %{customdata[4]:.3g}, 95 %: %{customdata[5]:.3g}<extra></extra>",
        ))  # fmt: skip
    drawn.add_trace(go.Scatter(
        x=[x for x, _, _ in rows], y=[q[2] for _, q, _ in rows], mode="markers", showlegend=False, hoverinfo="skip",
        legendgroup=which, marker=_dash("#ffffff", 2, 8 if len(bands) <= NAMED else 4),
    ))  # fmt: skip


def _dash(colour: str, thick: int, size: int) -> dict[str, object]:
    return {"symbol": "line-ew", "size": size, "color": colour, "line": {"width": thick, "color": colour}}


def _with_thresholds(drawn: go.Figure, bands: Sequence[WeightBand], names: list[str]) -> go.Figure:
    cut = [(place, band) for place, band in enumerate(bands) if band.threshold is not None]
    if not cut:
        return drawn
    return drawn.add_trace(go.Scatter(
        x=[place for place, _ in cut], y=[band.threshold for _, band in cut], mode="markers", name="largest weight removed",
        marker=_dash(REMOVED, 3, 18 if len(bands) <= NAMED else 8),
        customdata=[[names[place], band.sparsity] for place, band in cut],
        hovertemplate="%{customdata[0]}: largest removed |w| %{y:.3g}<br>%{customdata[1]:.1%} of it is zero<extra></extra>",
    ))  # fmt: skip
