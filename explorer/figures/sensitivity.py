"""Scans -> what each part loses at each ratio, channels next to single weights on one colour scale."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..studies.sensitivity.findings import PointFinding
from ..studies.sensitivity.values import Scan, SensitivityPoint
from ..words import LABELS
from .style import CLEAR, figure, nothing, tall, text

TITLES = {"channel": "channels of each coupled group", "weight": "single weights of each layer"}
LABELLED = 40  # parts up to which the cells show their numbers
REAL = {
    "worse": "a real loss, even with all points of this scan as one family",
    "better": "a real gain, even with all points of this scan as one family",
    "not distinguishable": "with all points of this scan as one family: not distinguishable from chance",
}
SCALE = "Cividis_r"  # light is harmless, dark is sensitive; readable without telling red from green


def sensitivity(scans: Sequence[Scan]) -> go.Figure:
    """Draw one row for each part and one column for each ratio: the accuracy lost in points, each part pruned
    alone, without recovery.

    Args:
        scans: of channels, of weights, or both; cells that are not known yet stay empty.
    """
    known = [scan for scan in scans if scan.points]
    if not known:
        return nothing(figure("Accuracy lost when each part is pruned alone", LABELS["ratio"], "Part"))
    titles = [TITLES[scan.plan.granularity] for scan in known]
    heights = [len(scan.by_part) for scan in known]
    # one above the other, because side by side they don't fit a narrow page
    apart = min(0.3, 2.5 / sum(heights))
    drawn = make_subplots(len(known), 1, subplot_titles=titles, row_heights=heights, vertical_spacing=apart)
    drawn.layout.template = "none"
    highest = max(0.01, *(point.drop.estimate for scan in known for point in scan.points))
    for row, scan in enumerate(known, 1):
        drawn.add_trace(_cells(scan), row, 1)
    drawn.update_xaxes(type="category", showgrid=False)
    drawn.update_xaxes(title_text=LABELS["ratio"], row=len(known), col=1)
    drawn.update_yaxes(autorange="reversed", automargin=True, showgrid=False)
    bar = {"title": {"text": "points lost", "side": "right"}, "thickness": 12}
    heading = {
        "text": "Accuracy lost when each part is pruned alone",
        "yref": "container",
        "y": 1,
        "yanchor": "top",
        "pad": {"t": 12},
    }
    scale = {"colorscale": SCALE, "cmin": 0, "cmax": 100 * highest, "colorbar": bar}
    clear = {"paper_bgcolor": CLEAR, "plot_bgcolor": CLEAR, "margin": {"t": 90, "r": 20}}
    return drawn.update_layout(
        title=heading, height=tall(sum(heights) + 2 * len(known)), coloraxis=scale, **clear
    )


def _cells(scan: Scan) -> go.Heatmap:
    ratios, parts = scan.plan.ratios, scan.by_part
    found = [{point.ratio: point for point in points} for points in parts.values()]
    grid: list[list[SensitivityPoint | None]] = [[row.get(ratio) for ratio in ratios] for row in found]
    show, judged = len(parts) <= LABELLED, scan.findings()
    return go.Heatmap(
        x=[f"{100 * ratio:g} %" for ratio in ratios],
        y=[text(part) for part in parts],
        z=[[None if p is None else 100 * p.drop.estimate for p in row] for row in grid],
        text=[["" if p is None else _cell(p, judged[p.part, p.ratio]) for p in row] for row in grid],
        texttemplate="%{text}" if show else None,
        textfont={"size": 10},
        customdata=[
            ["not measured yet" if p is None else _words(p, judged[p.part, p.ratio]) for p in row]
            for row in grid
        ],
        hovertemplate="%{y}, %{x} removed: %{customdata}<extra></extra>",
        coloraxis="coloraxis",
        xgap=1,
        ygap=1,
    )


def _cell(point: SensitivityPoint, finding: PointFinding) -> str:
    """Return the points lost; in brackets if the drop may be noise."""
    lost = f"{round(100 * point.drop.estimate)}"
    return f"({lost})" if finding.word == "not distinguishable" else lost


def _words(point: SensitivityPoint, finding: PointFinding) -> str:
    low, high = 100 * point.drop.low, 100 * point.drop.high
    told = REAL[finding.word]
    return (
        f"{100 * point.drop.estimate:.1f} points lost ({low:.1f} to {high:.1f}), {point.samples:,} "
        f"samples<br>{told}"
    )
