"""How the sizes of the weights separate, epoch by epoch, before the cut: one picture for each way of
training.
"""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ..lessons.evidence import Evidence
from ..lessons.values import Experiment
from .recovery_norms import columns, filled_range
from .style import CLEAR, text


def lesson_spread(experiment: Experiment, evidence: Evidence) -> go.Figure:
    """Draw columns of shares for each arm that was trained with a penalty, on one scale; weights at zero
    count in the lowest bin.
    """
    first = {arm.label: evidence.of(arm.name)[0].spread for arm in experiment.arms if evidence.of(arm.name)}
    counted = {label: spread for label, spread in first.items() if spread}
    rows = max(1, len(counted))
    drawn = make_subplots(
        rows, 1, subplot_titles=[text(label) for label in counted], vertical_spacing=0.12, shared_xaxes="all"
    )
    for row, spread in enumerate(counted.values(), 1):
        drawn.add_trace(columns(range(len(spread)), spread), row, 1)
        drawn.update_traces(showscale=row == 1, row=row, col=1)
    if counted:
        reach = filled_range([counts for spread in counted.values() for counts in spread])
        drawn.update_yaxes(type="log", exponentformat="power", dtick=2, range=reach, title_text="|w|")
        highest = max(max(max(column) for column in trace.z) for trace in drawn.data)
        drawn.update_traces(zmax=highest)
    drawn.update_xaxes(title_text="Epochs trained; weights at zero are in the lowest row", row=rows, col=1)
    drawn.update_layout(
        template="none",
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        height=120 + 190 * rows,
        margin={"t": 90, "r": 20},
        title={"text": "How the magnitudes of all weights separate before pruning"},
    )
    return drawn.update_xaxes(showgrid=False, zeroline=False).update_yaxes(showgrid=False, zeroline=False)
