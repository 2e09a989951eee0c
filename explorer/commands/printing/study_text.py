"""What studies found, as text and as JSON data."""

from collections.abc import Sequence
from typing import Any

from ...measuring.metric_words import metric_title
from ...measuring.number_words import format_drop, format_measured
from ...studies.allocator_comparison import UNIFORM, AllocatorRow
from ...studies.criteria_comparison import CriteriaRow
from ...studies.live_correlations import NUMBERS, Correlation, LiveNumbers, pooled
from ...studies.repair_table import RepairRow
from ...values.granularity import PLURALS
from ...values.report import Drop
from .output import percent, table

REPAIR_WORDS = {"none": "cut alone", "least_squares": "least squares"}


def live_json(studies: Sequence[LiveNumbers]) -> dict[str, Any]:
    """Return every model's numbers and correlations, and the mean over models, as JSON data."""
    means = {
        quantity: [vars(one) | {"verdict": one.verdict} for one in pooled(studies, quantity)]
        for quantity in ("value", "loss")
    }
    return {"question": "live-numbers", "models": [study.to_json() for study in studies], "mean": means}


def live_text(studies: Sequence[LiveNumbers]) -> str:
    """Return the rank correlations of each model, and their mean."""
    parts = [_live_text(study) for study in studies]
    if len(studies) > 1:
        parts.append(_correlations(f"Mean of {len(studies)} models", "their metric", pooled(studies)))
    return "\n\n".join(parts)


def _live_text(study: LiveNumbers) -> str:
    plan = study.plan
    retrained = sorted(b for _, _, b in study.pairs("one_shot"))
    head = (
        f"{study.subject}: {len(study.tried)} recipes of {PLURALS[plan.granularity]} that leave "
        f"{percent(plan.left)} of the parameters, {study.samples:,} tuning samples, {plan.epochs} epochs; "
        f"retrained from {retrained[0]:.3g} to {retrained[-1]:.3g}"
    )
    by_metric = _correlations(head, metric_title(study.metric).lower(), study.correlations())
    return f"{by_metric}\n\n{_correlations('The same by loss', 'loss', study.correlations('loss'))}"


def _correlations(head: str, quantity: str, rows: Sequence[Correlation]) -> str:
    columns = ["number", f"rank correlation, {quantity}", "minus right after the cut", ""]
    return f"{head}\n\n" + table(columns, [_correlation(one) for one in rows])


def _correlation(one: Correlation) -> list[str]:
    gain = (
        "" if one.number == "one_shot" else f"{one.gain:+.2f} ({one.gain_low:+.2f} to {one.gain_high:+.2f})"
    )
    own = f"{one.estimate:.2f} ({one.low:.2f} to {one.high:.2f})"
    return [NUMBERS[one.number], own, gain, one.verdict]


def allocators_text(model: str, rows: Sequence[AllocatorRow]) -> str:
    """Return a line for each allocator, share and repair."""
    columns = ["removed", "repair", "allocator", "left", "value", "minus uniform", ""]
    lines = []
    for row in rows:
        value = format_measured(row.measured, row.measured.samples) if row.measured else f"- ({row.why})"
        gain = points(row.gain) if row.gain else ""
        verdict = gain_verdict(row.gain) if row.allocator != UNIFORM else ""
        left, repair = percent(row.left), REPAIR_WORDS.get(row.after, row.after)
        lines.append([percent(row.removed), repair, row.allocator, left, value, gain, verdict])
    return f"{model}\n\n{table(columns, lines)}"


def gain_verdict(gain: Drop | None) -> str:
    """Return what a difference from uniform ratios says."""
    if gain is None:
        return ""
    better = gain.better == "higher"
    if gain.low > 0:
        return "better" if better else "worse"
    if gain.high < 0:
        return "worse" if better else "better"
    return "no difference beyond noise"


def points(drop: Drop) -> str:
    """Return a difference without words, as `change_words` says one of the other sign."""
    if drop.unit == "%":
        ends = f"{100 * drop.low:+.1f} to {100 * drop.high:+.1f}"
        return f"{100 * drop.estimate:+.1f} points ({ends})"
    return f"{drop.estimate:+.4g} ({drop.low:+.4g} to {drop.high:+.4g})"


def criteria_text(model: str, rows: Sequence[CriteriaRow]) -> str:
    """Return a line for each share, criterion and allocator, with a column for each repair."""
    repairs = list(dict.fromkeys(row.after for row in rows))
    known = {(row.removed, row.criterion, row.allocator, row.after): row for row in rows}
    measured = next((row for row in rows if row.measured), None)
    about = ""
    if measured is not None and measured.measured is not None:
        samples, metric = measured.measured.samples, measured.measured.metric or "value"
        apart = f" from {measured.units:,} documents" if measured.units not in (0, samples) else ""
        about = f": {metric_title(metric).lower()} on {samples:,} samples{apart}"
    first = f"minus {rows[0].criterion}, {rows[0].allocator}" if rows else ""
    columns = ["removed", "criterion", "allocator"]
    columns += [word for after in repairs for word in (REPAIR_WORDS.get(after, after), first, "")]
    lines = []
    for key in dict.fromkeys((row.removed, row.criterion, row.allocator) for row in rows):
        cells = [percent(key[0]), *key[1:]]
        for after in repairs:
            row = known.get((*key, after))
            cells += _criterion_cells(row) if row is not None else ["", "", ""]
        lines.append(cells)
    return f"{model}{about}\n\n{table(columns, lines)}"


def _criterion_cells(row: CriteriaRow) -> list[str]:
    if row.measured is None:
        return [f"- ({row.skipped})", "", ""]
    one = row.measured
    value = "" if one.value is None else short(one.value, one.unit)
    if one.low is not None and one.high is not None:
        value += f" ({short(one.low, one.unit)} to {short(one.high, one.unit)})"
    return [value, points(row.change), gain_verdict(row.change)] if row.change else [value, "", ""]


def short(value: float, unit: str | None) -> str:
    """Return a value of a metric with as few digits as a table needs."""
    return f"{100 * value:.1f} %" if unit == "%" else f"{value:.4g}"


def repairs_text(model: str, rows: Sequence[RepairRow]) -> str:
    """Return a line for each ratio and repair."""
    columns = ["removed", "repair", "value", "change", "seconds"]
    lines = [
        [
            percent(row.ratio),
            row.arm,
            format_measured(row.measured, row.measured.samples),
            format_drop(row.drop),
            f"{row.seconds:.2f}",
        ]
        for row in rows
    ]
    return f"{model}\n\n{table(columns, lines)}"
