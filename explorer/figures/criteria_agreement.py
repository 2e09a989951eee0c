"""Agreement -> a heat map of how far each two criteria agree."""

import plotly.graph_objects as go

from ..studies.criteria_agreement import Agreement, Measure, Overall
from .cell_words import cell_words
from .style import figure, nothing, text

TITLES: dict[Measure, str] = {
    "spearman": "Rank correlation (Spearman)",
    "kendall": "Pairs in the same order (Kendall)",
    "overlap": "Kept channels in common",
}
SCALE, AROUND_ZERO = "Cividis", "PuOr_r"  # both readable without telling red from green


def criteria_agreement(agreement: Agreement | Overall | None, measure: Measure) -> go.Figure:
    """Draw one cell for each pair of criteria: a correlation from -1 to 1, or a share of channels; empty if a
    ranking is constant.
    """
    drawn = figure(TITLES[measure], "", "", height=520)
    if agreement is None or not agreement.criteria:
        return nothing(drawn)
    names = [text(name) for name in agreement.criteria]
    cells, is_share = agreement.matrix(measure), measure == "overlap"
    words = [["" if value is None else _number(value, is_share) for value in row] for row in cells]
    scale, lowest = (SCALE, 0) if is_share else (AROUND_ZERO, -1)
    matrix = go.Heatmap(
        x=names,
        y=names,
        z=[list(row) for row in cells],
        zmin=lowest,
        zmax=1,
        xgap=1,
        ygap=1,
        text=words,
        colorscale=scale,
        hoverongaps=False,
        hovertemplate="%{y} and %{x}: %{z:.2f}<extra></extra>",
        colorbar={"thickness": 12},
    )
    drawn.add_traces([matrix, cell_words(matrix, scale, (lowest, 1), 10)])
    drawn.update_xaxes(showgrid=False, tickangle=-45, type="category")
    drawn.update_yaxes(showgrid=False, autorange="reversed", type="category")
    return drawn.update_layout(height=190 + 28 * len(names), margin={"t": 52, "b": 24})


def _number(value: float, is_share: bool) -> str:
    """Return the number as short text.

    >>> _number(0.456, True), _number(-0.004, False), _number(0.95, False)
    ('46', '.0', '.9')
    """
    if is_share:
        return f"{100 * value:.0f}"
    return f"{value:.1f}".replace("-0.0", "0.0").replace("0.", ".")
