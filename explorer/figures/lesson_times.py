"""Evidence -> milliseconds per batch, dense and pruned measured in turns: medians, and the range of 8 of 10
runs.
"""

import plotly.graph_objects as go

from ..lessons.evidence import Evidence
from ..lessons.values import DENSE as DENSE_ARM
from ..lessons.values import Experiment
from ..measuring.latency import summary
from .lesson_curve import COLOURS
from .style import STALE, figure, nothing, text


def lesson_times(experiment: Experiment, evidence: Evidence | None) -> go.Figure:
    """Draw one group of bars for each batch size."""
    drawn = figure("Time of a batch on this machine", "Milliseconds a batch", "", barmode="group", height=380)
    drawn.update_xaxes(rangemode="tozero")
    drawn.update_yaxes(autorange="reversed", type="category")
    for place, batch in enumerate(experiment.batches):
        timed = [
            (key, summary(times))
            for key, times in (evidence.times.items() if evidence else ())
            if key[2] == batch
        ]
        rows = [(_label(experiment, arm, x), latency) for (arm, x, _), latency in timed]
        if rows:
            drawn.add_trace(
                go.Bar(
                    y=[label for label, _ in rows],
                    x=[latency["median"] for _, latency in rows],
                    orientation="h",
                    name=f"batch of {batch}",
                    marker_color=COLOURS[place],
                    hovertemplate="%{y}: %{x:.3g} ms",
                    error_x={
                        "array": [latency["p90"] - latency["median"] for _, latency in rows],
                        "arrayminus": [latency["median"] - latency["p10"] for _, latency in rows],
                        "thickness": 1.5,
                        "color": STALE,
                    },
                )
            )
    return drawn if drawn.data else nothing(drawn)


def _label(experiment: Experiment, arm: str, x: float) -> str:
    return "dense model" if arm == DENSE_ARM else f"{text(experiment.arm(arm).label)}, {100 * x:g} %"
