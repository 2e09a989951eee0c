"""Runs as a tree that shows which run was made from which."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from ..runs.comparison import TreeRow
from .style import CLEAR, DENSE, KEPT, REMOVED, Mark, figure, nothing, text

ROW = 30  # pixels
VERDICTS = {
    "different": (Mark(REMOVED, "square"), "worse or better beyond noise"),
    "equivalent": (Mark(KEPT, "circle"), "as accurate as dense, within a point"),
    "undecided": (Mark(DENSE, "circle-open"), "not known yet"),
}
ROOM = 6.0  # steps to the right of the deepest run, for its text


def family_tree(tree: Sequence[TreeRow], names: Mapping[str, str], chosen: Sequence[str] = ()) -> go.Figure:
    """Draw one row for each run, children below and to the right of what they were made from.

    Args:
        tree: from `comparison.family`.
        names: run -> its text.
        chosen: runs that get a ring.
    """
    drawn = figure("Where each run came from", "", "", height=190 + ROW * max(2, len(tree)), showlegend=True)
    deepest = max((branch.depth for branch in tree), default=0)
    drawn.update_xaxes(visible=False, range=[-0.4, deepest + ROOM], fixedrange=True)
    drawn.update_yaxes(visible=False, range=[len(tree) - 0.4, -0.6], fixedrange=True)
    if not tree:
        return nothing(drawn)
    drawn.add_trace(_lines(tree))
    for verdict, (mark, words) in VERDICTS.items():
        rows = [row for row, branch in enumerate(tree) if _verdict(branch) == verdict]
        if rows:
            drawn.add_trace(_dots(tree, rows, names, mark, words))
    ringed = [row for row, branch in enumerate(tree) if branch.run.name in chosen]
    return drawn.add_trace(_rings(tree, ringed)) if ringed else drawn


def _verdict(branch: TreeRow) -> str:
    drop = branch.run.report.drop
    return drop.verdict if drop else "undecided"


def _lines(tree: Sequence[TreeRow]) -> go.Scatter:
    """Draw lines down from the parent, then right to the child."""
    x: list[float | None] = []
    y: list[float | None] = []
    for row, branch in enumerate(tree):
        if branch.parent is not None:
            above = tree[branch.parent].depth
            x += [above, above, branch.depth, None]
            y += [branch.parent, row, row, None]
    return go.Scatter(
        x=x, y=y, mode="lines", line={"color": DENSE, "width": 1}, hoverinfo="skip", showlegend=False
    )


def _dots(
    tree: Sequence[TreeRow], rows: Sequence[int], names: Mapping[str, str], mark: Mark, words: str
) -> go.Scatter:
    labels = [text(names[tree[row].run.name]) for row in rows]
    notes = [[text(tree[row].run.note) or "no note"] for row in rows]
    return go.Scatter(
        x=[tree[row].depth for row in rows],
        y=list(rows),
        mode="markers+text",
        text=[f"  {name}" for name in labels],
        textposition="middle right",
        marker={"color": mark.colour, "symbol": mark.symbol, "size": 11},
        name=words,
        cliponaxis=False,
        customdata=notes,
        hovertemplate="%{text}<br>%{customdata[0]}<extra></extra>",
    )


def _rings(tree: Sequence[TreeRow], rows: Sequence[int]) -> go.Scatter:
    return go.Scatter(
        x=[tree[row].depth for row in rows],
        y=list(rows),
        mode="markers",
        hoverinfo="skip",
        name="side by side",
        marker={"symbol": "circle", "size": 19, "color": CLEAR, "line": {"width": 2, "color": DENSE}},
    )
