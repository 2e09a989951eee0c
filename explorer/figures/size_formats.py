"""Report -> bytes in real file formats, dense model against pruned."""

import plotly.graph_objects as go

from ..values.report import Measurement, Report
from ..words import LABELS
from .style import DENSE, KEPT, figure, nothing

FORMATS = {
    "dense": "dense file",
    "csr": "CSR (row starts, columns)",
    "bitmask": "bitmask (a bit a weight)",
    "deflate": "dense file, compressed",
}


def size_formats(report: Report | None) -> go.Figure:
    """Draw bars for each format that was measured; zeros alone shrink every file but the first."""
    drawn = figure(
        "How large the model is in each file format", "File format", LABELS["size_bytes"], barmode="group"
    )
    drawn.update_yaxes(tickformat="~s", rangemode="tozero")
    for name, measured, colour in (
        ("dense model", _of(report, "baseline"), DENSE),
        ("pruned", _of(report, "pruned"), KEPT),
    ):
        sizes = {
            FORMATS[form]: bytes
            for form, bytes in ((measured and measured.size_bytes) or {}).items()
            if form in FORMATS
        }
        if sizes:
            hover = f"{name}, %{{x}}: %{{y:,}} bytes<extra></extra>"
            drawn.add_trace(
                go.Bar(
                    x=list(sizes), y=list(sizes.values()), name=name, marker_color=colour, hovertemplate=hover
                )
            )
    return drawn if drawn.data else nothing(drawn)


def _of(report: Report | None, which: str) -> Measurement | None:
    return getattr(report, which) if report else None
