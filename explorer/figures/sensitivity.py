"""Scans -> what each part loses at each ratio, channels next to single weights on one colour scale."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..measuring.metric_words import metric_heading
from ..studies.sensitivity.findings import PointFinding
from ..studies.sensitivity.values import Scan, SensitivityPoint
from ..values.granularity import CHANNEL, WEIGHT, WORDS
from ..words import LABELS
from .cell_words import cell_words
from .style import CLEAR, figure, nothing, tall, text

TITLES = {CHANNEL: f"{WORDS[CHANNEL]} of each coupled group", WEIGHT: f"{WORDS[WEIGHT]} of each layer"}
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
    highest = max(0.01, *(point.drop.loss for scan in known for point in scan.points))
    metric, unit = metric_heading(known[0].baseline.metric), known[0].points[0].drop.unit
    times = 100 if unit == "%" else 1
    for row, scan in enumerate(known, 1):
        cells = _cells(scan)
        drawn.add_trace(cells, row, 1)
        if len(scan.by_part) <= LABELLED:
            drawn.add_trace(cell_words(cells, SCALE, (0, times * highest), 10), row, 1)
    drawn.update_xaxes(type="category", showgrid=False)
    drawn.update_xaxes(title_text=LABELS["ratio"], row=len(known), col=1)
    drawn.update_yaxes(autorange="reversed", automargin=True, showgrid=False)
    bar = {
        "title": {"text": "points lost" if unit == "%" else f"lost {unit}".rstrip(), "side": "right"},
        "thickness": 12,
    }
    heading = {
        "text": f"{metric} lost when each part is pruned alone",
        "yref": "container",
        "y": 1,
        "yanchor": "top",
        "pad": {"t": 12},
    }
    scale = {"colorscale": SCALE, "cmin": 0, "cmax": times * highest, "colorbar": bar}
    clear = {"paper_bgcolor": CLEAR, "plot_bgcolor": CLEAR, "margin": {"t": 90, "r": 20}}
    return drawn.update_layout(
        title=heading, height=tall(sum(heights) + 2 * len(known)), coloraxis=scale, **clear
    )


def _cells(scan: Scan) -> go.Heatmap:
    ratios, parts = scan.plan.ratios, scan.by_part
    found = [{point.ratio: point for point in points} for points in parts.values()]
    grid: list[list[SensitivityPoint | None]] = [[row.get(ratio) for ratio in ratios] for row in found]
    judged = scan.findings()
    return go.Heatmap(
        x=[f"{100 * ratio:g} %" for ratio in ratios],
        y=[text(part) for part in parts],
        z=[[None if p is None else _scaled(p, p.drop.loss) for p in row] for row in grid],
        text=[["" if p is None else _cell(p, judged[p.part, p.ratio]) for p in row] for row in grid],
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
    lost = _scaled(point, point.drop.loss)
    lost_text = f"{round(lost)}" if point.drop.unit == "%" else f"{lost:.2g}"
    return f"({lost_text})" if finding.word == "not distinguishable" else lost_text


def _words(point: SensitivityPoint, finding: PointFinding) -> str:
    drop = point.drop
    ends = (drop.low, drop.high) if drop.better == "higher" else (-drop.high, -drop.low)
    lost, low, high = (_scaled(point, end) for end in (drop.loss, *ends))
    form, unit = (".1f", "points lost") if drop.unit == "%" else (".3g", f"{drop.unit} lost".lstrip())
    return (
        f"{lost:{form}} {unit} ({low:{form}} to {high:{form}}), {point.samples:,} samples<br>"
        f"{REAL[finding.word]}"
    )


def _scaled(point: SensitivityPoint, number: float) -> float:
    """Return fractions in points; -0 as 0."""
    return (100 * number if point.drop.unit == "%" else number) + 0.0
