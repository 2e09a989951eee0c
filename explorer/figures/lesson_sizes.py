"""Evidence -> bytes of the file in each format as weights are removed, in per cent of the dense file."""

import plotly.graph_objects as go

from ..lessons.evidence import Evidence
from ..lessons.values import Experiment
from .lesson_curve import COLOURS, DASHES, SYMBOLS
from .size_formats import FORMATS
from .style import DENSE, figure, nothing


def lesson_sizes(experiment: Experiment, evidence: Evidence | None) -> go.Figure:
    """Draw one line for each format of the first arm; below 100 % the file got smaller."""
    drawn = figure(
        "Size of the file in each format", f"{experiment.axis} (%)", "Size (% of the dense file)", height=440
    )
    drawn.update_xaxes(ticksuffix=" %", range=[0, 100]).update_yaxes(rangemode="tozero")
    arm = experiment.arms[0].name
    whole = (
        (evidence.dense[arm].measured.size_bytes or {}).get("dense")
        if evidence and arm in evidence.dense
        else None
    )
    if evidence is None or not whole:
        return nothing(drawn)
    for place, (form, name) in enumerate(FORMATS.items()):
        rows = [
            (p.x, sizes[form]) for p in evidence.of(arm) if form in (sizes := p.measured.size_bytes or {})
        ]
        line = {"color": COLOURS[place], "dash": DASHES[place]}
        drawn.add_trace(
            go.Scatter(
                x=[100 * x for x, _ in rows],
                y=[100 * size / whole for _, size in rows],
                customdata=[size for _, size in rows],
                name=name,
                mode="lines+markers",
                hovertemplate="%{x:.0f} % zeros: %{y:.1f} %, %{customdata:,} bytes",
                marker={"color": COLOURS[place], "symbol": SYMBOLS[place], "size": 9},
                line=line,
            )
        )
    return drawn.add_hline(y=100, line={"color": DENSE, "width": 1})
