"""Recovery -> the distribution of the sizes of weights or channels after each epoch of a penalty, which shows
them separate.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import plotly.graph_objects as go

from ..recovery.regularisation import EDGES
from ..recovery.values import EpochPoint, Recovery
from .style import KEPT, figure, nothing

SIZES = {
    "l1": "|w| of each weight",
    "l2": "|w| of each weight",
    "group_lasso": "root mean square of each output channel",
}
SHADES = [
    [0.0, "rgba(47, 134, 201, 0)"],
    [0.15, "rgba(47, 134, 201, 0.5)"],
    [1.0, KEPT],
]  # from the page's background on


def recovery_norms(recovery: Recovery | None) -> go.Figure:
    """Draw a column for each epoch and a row for each bin of sizes on a log scale; the shade is the share of
    the column.
    """
    own = _of_one_seed(recovery.epochs) if recovery else []
    title = SIZES[recovery.plan.penalty] if recovery else "Size"
    drawn = figure(
        "How the weights spread under the penalty", "Epochs trained", f"{title}, log scale", height=380
    )
    if not own:
        return nothing(drawn)
    counts = [point.norms for point in own]
    drawn.update_layout(margin_t=60).update_yaxes(
        type="log", exponentformat="power", dtick=1, range=filled_range(counts)
    )
    return drawn.add_trace(columns([point.epoch for point in own], counts))


def columns(epochs: Sequence[int], counts: Sequence[Sequence[int]]) -> go.Heatmap:
    """Return one column for each epoch: the share of all sizes in each bin of EDGES."""
    shares = [[100 * count / max(1, sum(row)) for count in row] for row in counts]
    middles = [(low * high) ** 0.5 for low, high in pairwise(EDGES)]
    return go.Heatmap(
        x=list(epochs),
        y=middles,
        z=[list(row) for row in zip(*shares, strict=True)],
        colorscale=SHADES,
        colorbar={"title": {"text": "% of all"}},
        zmin=0,
        hovertemplate="epoch %{x}, about %{y:.2g}: %{z:.1f} % of all<extra></extra>",
    )


def filled_range(counts: Sequence[Sequence[int]]) -> list[float]:
    """Return log10 of the lowest and the highest size in any of the columns."""
    filled = [i for i in range(len(EDGES) - 1) if any(row[i] for row in counts)]
    return [math.log10(EDGES[filled[0]]), math.log10(EDGES[filled[-1] + 1])]


def _of_one_seed(epochs: Sequence[EpochPoint]) -> list[EpochPoint]:
    counted = [point for point in epochs if point.norms]
    return [point for point in counted if point.seed == counted[-1].seed]
