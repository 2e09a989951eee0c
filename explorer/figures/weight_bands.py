"""WeightBands -> the weights of all layers on one scale, before and after, with the thresholds of
the recipe.
"""

from collections.abc import Sequence

import plotly.graph_objects as go

from ..inspection.weight_bands import WeightBand
from ..words import LABELS
from .style import AFTER, DENSE, REMOVED, figure, nothing, subtitled, text

NAMED = 40  # layers up to which each is named on the axis; if there are more, evenly spaced ones
# whose green is the grey of "before" to people with deuteranopia
STRIPED = {"after": {"shape": "/", "fillmode": "overlay", "solidity": 0.15}}
UPRIGHT = 8  # layers whose names stand side by side without being turned
WIDE, NARROW, SHIFT = 0.8, 0.36, 0.2  # of the space that a layer has


def weight_bands(bands: Sequence[WeightBand]) -> go.Figure:
    """Draw bars, pale from the 5 % to the 95 % quantile, strong for the middle half, with the median; two
    bars for a layer that changes.
    """
    filled = [band for band in bands if band.before]
    drawn = figure(
        "How large the weights of each layer are",
        LABELS["layer"],
        f"{LABELS['magnitude']}, log scale",
        height=480,
    )
    subtitled(drawn, "strong: the middle half, pale: from 5 to 95 %, line: the median")
    drawn.update_layout(barmode="overlay")
    drawn.update_yaxes(type="log", exponentformat="power", dtick=1)
    if not filled:
        return nothing(drawn)
    names = [text(band.layer) for band in filled]
    step = -(-len(filled) // NAMED)
    drawn.update_xaxes(
        tickvals=list(range(0, len(filled), step)),
        ticktext=[_short(n) for n in names[::step]],
        tickangle=0 if len(filled) <= UPRIGHT else -55,
        showgrid=False,
        range=[-0.7, len(filled) - 0.3],
    )
    _add_bars(drawn, filled, names, "before", DENSE)
    is_cut = any(band.after != band.before for band in filled)
    if is_cut:
        _add_bars(drawn, filled, names, "after", AFTER)
    drawn.update_layout(showlegend=is_cut)
    return _with_thresholds(drawn, filled, names)


def _short(name: str) -> str:
    """Return the end of a long name, which distinguishes layers of one block.

    >>> _short("features.denseblock1.denselayer1.conv1")
    '…denselayer1.conv1'
    """
    return name if len(name) <= 24 else "…" + ".".join(name.split(".")[-2:])[-23:]


def _add_bars(
    drawn: go.Figure, bands: Sequence[WeightBand], names: list[str], which: str, colour: str
) -> None:
    """Add one wide bar for a layer that doesn't change, or two side by side."""
    x, widths, quantiles, labels = [], [], [], []
    for place, band in enumerate(bands):
        changed = band.after != band.before
        if getattr(band, which) and (changed or which == "before"):
            x.append(place + (0.0 if not changed else -SHIFT if which == "before" else SHIFT))
            widths.append(NARROW if changed else WIDE)
            quantiles.append([float(f"{value:.4g}") for value in getattr(band, which)])
            labels.append(names[place])
    for low, high, opacity, words in ((0, 4, 0.35, "nine of ten"), (1, 3, 0.9, "the middle half")):
        drawn.add_trace(
            go.Bar(
                x=x,
                base=[q[low] for q in quantiles],
                y=[q[high] - q[low] for q in quantiles],
                width=widths,
                opacity=opacity,
                marker={"color": colour, "line": {"width": 0}, "pattern": STRIPED.get(which, {})},
                name=which,
                legendgroup=which,
                showlegend=opacity > 0.5,
                customdata=[[label, q[high]] for label, q in zip(labels, quantiles, strict=True)],
                hovertemplate=f"%{{customdata[0]}}, {which}: |w| from %{{base:.3g}} to "
                f"%{{customdata[1]:.3g}}, {words}<extra></extra>",
            )
        )
    drawn.add_trace(
        go.Scatter(
            x=x,
            y=[q[2] for q in quantiles],
            mode="markers",
            showlegend=False,
            hoverinfo="skip",
            legendgroup=which,
            marker=_dash("#ffffff", 2, 8 if len(bands) <= NAMED else 4),
        )
    )


def _dash(colour: str, thick: int, size: int) -> dict[str, object]:
    return {"symbol": "line-ew", "size": size, "color": colour, "line": {"width": thick, "color": colour}}


def _with_thresholds(drawn: go.Figure, bands: Sequence[WeightBand], names: list[str]) -> go.Figure:
    cut = [(place, band) for place, band in enumerate(bands) if band.threshold is not None]
    if not cut:
        return drawn
    return drawn.add_trace(
        go.Scatter(
            x=[place for place, _ in cut],
            y=[band.threshold for _, band in cut],
            mode="markers",
            name="largest weight removed",
            marker=_dash(REMOVED, 3, 18 if len(bands) <= NAMED else 8),
            customdata=[[names[place], band.sparsity] for place, band in cut],
            hovertemplate="%{customdata[0]}: largest removed |w| %{y:.3g}<br>%{customdata[1]:.1%} of it is "
            "zero<extra></extra>",
        )
    )
