"""Recovery -> the loss of the training batches, and of the tuning split after each epoch."""

import plotly.graph_objects as go

from ..recovery.values import Recovery
from ..words import LABELS
from .style import AFTER, DENSE, figure, log_ticks, nothing


def recovery_loss(recovery: Recovery | None) -> go.Figure:
    """Draw the seed that runs, or ran last; on a log scale, since a loss falls by a fraction of itself."""
    drawn = figure("Loss during training", "Epochs trained", f"{LABELS['loss']}, log scale", height=380)
    drawn.update_xaxes(rangemode="tozero").update_yaxes(type="log")
    if recovery is None or not recovery.epochs:
        return nothing(drawn)
    if recovery.losses:
        drawn.add_trace(_training(recovery))
    drawn.add_trace(_tuning(recovery))
    return drawn.update_yaxes(log_ticks(value for trace in drawn.data for value in trace.y))


def _training(recovery: Recovery) -> go.Scatter:
    name = "training batches" + (" (with the teacher's share)" if recovery.plan.distillation_weight else "")
    return go.Scatter(
        x=[point.epoch for point in recovery.losses],
        y=[point.loss for point in recovery.losses],
        mode="lines",
        name=name,
        line={"color": DENSE, "width": 1.5},
        customdata=[[_right(p.accuracy), p.learning_rate] for p in recovery.losses],
        hovertemplate="epoch %{x:.2f}: %{y:.3f}<br>%{customdata[0]}"
        "learning rate %{customdata[1]:.2g}<extra></extra>",
    )


def _right(share: float | None) -> str:
    """Return the share of right answers as a line; nothing if answers are no classes."""
    return "" if share is None else f"{100 * share:.1f} % right on training samples<br>"


def _tuning(found: Recovery) -> go.Scatter:
    own = [point for point in found.epochs if point.seed == found.epochs[-1].seed]
    return go.Scatter(
        x=[point.epoch for point in own],
        y=[point.measurement.loss for point in own],
        mode="lines+markers",
        name="tuning split",
        line={"color": AFTER},
        marker={"color": AFTER, "size": 7},
        hovertemplate="epoch %{x}: %{y:.3f}<extra></extra>",
    )
