"""A recovery and a recovery curve as text: a line an arm or a point."""

from collections.abc import Iterator

from ...measuring.metric_words import metric_title
from ...measuring.number_words import change_words, format_measured
from ...recovery.controls import spread_of, spread_words
from ...recovery.recovery_curve import RecoveryCurve
from ...recovery.values import MeasuredArm, Recovery
from ...values.report import Measurement
from .output import table


def curve_text(curve: RecoveryCurve) -> str:
    """Return a line for each model of each point."""
    total = curve.points[0].recovery.total_samples
    name = metric_title(curve.points[0].recovery.baseline.metric or "accuracy")
    rows = [
        [
            f"{point.strength:g}",
            arm,
            f"{measured.nonzero_params:,}",
            f"{measured.macs:,}" if measured.macs else "",
            format_measured(measured, total),
            _loss(measured),
        ]
        for point in curve.points
        for arm, measured in point.lines().items()
    ]
    return table(["strength", "", "non-zero", "MACs per sample", name, "loss"], rows)


def recovery_text(recovery: Recovery, others: list[tuple[str, Recovery]]) -> str:
    """Return a line for each model, then what the reader should know."""
    base = recovery.baseline
    rows = [["dense", format_measured(base, recovery.total_samples), "", _loss(base), ""]]
    rows += [_row(arm.name, arm, recovery.total_samples) for arm in recovery.arms]
    rows += [
        _row(f"{name}: {arm.name}", arm, other.total_samples)
        for name, other in others
        for arm in other.recovered
    ]
    head = (
        f"{recovery.subject['name']}, {recovery.subject['task']} data, tuning split; method "
        f"{recovery.plan.method}, {_budget(recovery)}"
    )
    name = metric_title(base.metric or "accuracy")
    columns = ["", name, "change", "loss", "non-zero"]
    return "\n".join([head, "", table(columns, rows), *_notes(recovery)])


def _budget(recovery: Recovery) -> str:
    epochs = recovery.plan.trained_epochs
    return f"{epochs} epoch{'s' * (epochs != 1)} a seed" if epochs else "nothing is trained"


def _row(name: str, arm: MeasuredArm, total: int) -> list[str]:
    measured = arm.measurement
    change = change_words(arm.drop).interval
    counted = format_measured(measured, total)
    return [name, counted, change, _loss(measured), f"{measured.nonzero_params:,}"]


def _loss(measured: Measurement) -> str:
    return "" if measured.loss is None else f"{measured.loss:.3f}"


def _notes(recovery: Recovery) -> Iterator[str]:
    if len(recovery.recovered) > 1:
        over = spread_of([arm.measurement for arm in recovery.recovered])
        yield ""
        yield f"Mean over {over.seeds} seeds: {spread_words(over, recovery.baseline.unit)}."
    if recovery.plan.patience:
        yield (
            "The best epoch was chosen on these same samples; held-out data would show how much of that is "
            "luck."
        )
    yield from recovery.notes
