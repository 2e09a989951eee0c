"""WeightDepths -> a small picture for each kind of layer: how large its weights are from block to block."""

import math
from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..inspection.weight_bands import WeightBand
from ..inspection.weight_depths import KindDepths, WeightDepths
from ..words import LABELS
from .style import AFTER, DENSE, GRID, figure, nothing, text

TITLE = "How large the weights of each kind are, from block to block"
SHOWN, COLUMNS, ROW = 15, 3, 165  # kinds; pictures side by side; pixels of a row
NAMED = 12  # blocks up to which each is named
BANDS = ((0, 4, 0.3), (1, 3, 0.45))  # quantiles from, to, and how strong


def weight_depths(depths: WeightDepths | None) -> go.Figure:
    """Draw the median of each kind over the blocks, with the bands of WeightBand, before and after, all on
    one scale.
    """
    if depths is None or not depths.kinds:
        return nothing(figure(TITLE, "Block", LABELS["magnitude"]))
    kinds = depths.kinds[:SHOWN]
    rows = -(-len(kinds) // COLUMNS)
    drawn = make_subplots(
        rows,
        COLUMNS,
        shared_xaxes="all",
        shared_yaxes="all",
        subplot_titles=[text(kind.kind) for kind in kinds],
        horizontal_spacing=0.03,
        vertical_spacing=min(0.12, 0.34 / rows),
    )
    is_cut = any(band is not None and band.after != band.before for kind in kinds for band in kind.bands)
    for place, kind in enumerate(kinds):
        where = {"row": place // COLUMNS + 1, "col": place % COLUMNS + 1}
        for which in ("before", "after") if is_cut else ("before",):
            for trace in _traces(kind, depths.blocks, which, is_first=place == 0):
                drawn.add_trace(trace, **where)
    return _laid_out(drawn, figure(TITLE, "", ""), depths.blocks, kinds, is_cut=is_cut)


def _traces(kind: KindDepths, blocks: Sequence[str], which: str, *, is_first: bool) -> list[go.Scatter]:
    """Return two bands and the line of the median; blocks without such a layer are gaps."""
    colour, dash = (DENSE, "solid") if which == "before" else (AFTER, "dash")
    shared = {"legendgroup": which, "name": which, "hoverinfo": "skip", "mode": "lines"}
    traces = []
    for low, high, opacity in BANDS if which == "before" else ():
        x, y = _outline(kind.bands, low, high)
        filled = {"fill": "toself", "fillcolor": colour, "opacity": opacity, "line": {"width": 0}}
        traces.append(go.Scatter(x=x, y=y, **shared, **filled, showlegend=False))
    told = [_told(band, which) for band in kind.bands]
    line = go.Scatter(
        x=list(range(len(blocks))),
        y=[values[2] if values else None for values in told],
        customdata=[[text(block), *(values or ())] for block, values in zip(blocks, told, strict=True)],
        hovertemplate=f"{text(kind.kind)}, block %{{customdata[0]}}, {which}: median |w| %{{y:.3g}}<br>"
        "middle half %{customdata[2]:.3g} to %{customdata[4]:.3g}, nine of ten %{customdata[1]:.3g} to "
        "%{customdata[5]:.3g}<extra></extra>",
        line={"color": colour, "dash": dash, "width": 2},
        marker={"size": 5, "color": colour, "symbol": "circle" if which == "before" else "diamond"},
        mode="lines+markers",
        name=which,
        legendgroup=which,
        showlegend=is_first,
    )
    return [*traces, line]


def _outline(bands: Sequence[WeightBand | None], low: int, high: int) -> tuple[list, list]:
    """Return the border of a band, as one shape for each run of blocks that have such a layer."""
    x: list[float | None] = []
    y: list[float | None] = []
    run: list[tuple[int, WeightBand]] = []
    for place, band in enumerate([*bands, None]):
        if band is not None:
            run.append((place, band))
        elif run:
            x += [at for at, _ in run] + [at for at, _ in reversed(run)] + [None]
            y += [b.before[low] for _, b in run] + [b.before[high] for _, b in reversed(run)] + [None]
            run = []
    return x, y


def _told(band: WeightBand | None, which: str) -> list[float] | None:
    values = getattr(band, which) if band is not None else ()
    return [float(f"{value:.4g}") for value in values] or None


def _laid_out(
    drawn: go.Figure, styled: go.Figure, blocks: Sequence[str], kinds: Sequence[KindDepths], *, is_cut: bool
) -> go.Figure:
    rows = -(-len(kinds) // COLUMNS)
    drawn.update_layout(styled.layout.to_plotly_json() | {"xaxis": {}, "yaxis": {}}, overwrite=False)
    drawn.update_annotations(font_size=13)
    step = -(-len(blocks) // NAMED)
    axis = {"gridcolor": GRID, "zeroline": False, "tickfont": {"size": 11}, "title_font": {"size": 12}}
    drawn.update_xaxes(
        **axis,
        tickvals=list(range(0, len(blocks), step)),
        ticktext=[text(block) for block in blocks[::step]],
        range=[-0.4, len(blocks) - 0.6],
    )
    drawn.update_yaxes(**axis, type="log", exponentformat="power", dtick=1, range=_reach(kinds))
    for column in range(1, min(COLUMNS, len(kinds)) + 1):
        last = (len(kinds) - column) // COLUMNS + 1  # the lowest picture of the column
        drawn.update_xaxes(title_text="Block", showticklabels=True, row=last, col=column)
    drawn.update_yaxes(title_text="|w|", col=1)
    legend = {"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yref": "container", "yanchor": "top"}
    return drawn.update_layout(
        height=125 + ROW * rows, showlegend=is_cut, legend=legend, margin={"t": 75, "r": 20, "l": 60, "b": 50}
    )


def _reach(kinds: Sequence[KindDepths]) -> list[float]:
    """Return the powers of ten that hold all bands."""
    bands = [band for kind in kinds for band in kind.bands if band is not None]
    values = [v for band in bands for v in (*band.before, *band.after)] or [1.0]
    return [math.log10(min(values)) - 0.1, math.log10(max(values)) + 0.1]
