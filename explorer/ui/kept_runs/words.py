"""Texts about stored runs: what each is called, what its recipe does, and what was measured."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ...measuring.metric_words import metric_heading, metric_title
from ...measuring.number_words import change_words, format_measured, format_value
from ...measuring.predicted_loss import loss_words
from ...runs.stored_run import Run
from ...studies.search_journal import TAG
from ...values.granularity import GRADED, PLURALS
from ...values.recipe import Recipe
from ...values.report import Measurement, Report
from ..drawing.measurement_cards import short

TRIAL_NOTE = re.compile(r"search for less (\w+), trial (\d+)")
SHORT_NAME = 4  # letters of a run's name
SHORT_NOTE = 28  # letters of its note
NOT_MEASURED = "not measured"


def called(run: Run) -> str:
    """Return a name that fits next to a dot: a few letters that identify the run, and the note, or what the
    recipe does.
    """
    words = _trial(run) or " ".join(run.note.split()) or description(run)
    return f"{run.name[:SHORT_NAME]} {words if len(words) <= SHORT_NOTE else words[: SHORT_NOTE - 1] + '…'}"


def is_trial(run: Run) -> bool:
    """Whether a search measured it, among many others."""
    return TAG in run.tags and TRIAL_NOTE.match(run.note) is not None


def _trial(run: Run) -> str:
    """Return what distinguishes a trial: its number, what it leaves, its quality; "" for other runs."""
    match = TRIAL_NOTE.match(run.note) if TAG in run.tags else None
    if match is None:
        return ""
    now, dense = run.report.pruned, run.report.baseline
    after, before = (
        (now.macs, dense.macs) if match[1] == "macs" else (now.nonzero_params, dense.nonzero_params)
    )
    left = f", {100 * after / before:.0f} % left" if after is not None and before else ""
    value = f", {format_value(now.value, now.unit)}" if now.value is not None else ""
    return f"trial {match[2]}{left}{value}"


def summary(recipe: Recipe) -> str:
    """Return what a recipe removes, in a few words.

    >>> summary(Recipe(channels={"a": 0.25, "b": 0.5}, weights={"fc": 0.9}))
    '25-50 % of channels, 90 % of weights, l1'
    """
    ratios = {PLURALS[kind]: recipe.ratios(kind).values() for kind in GRADED}
    removed = [_range(given, what) for what, given in ratios.items() if given]
    by_hand = sum(map(len, recipe.remove.values()))
    removed += [f"{by_hand} by hand"] if by_hand else []
    blocks = len(recipe.blocks)
    removed += [f"{blocks} block{'s' * (blocks > 1)}"] if blocks else []
    if not removed:
        return "dense model"
    pattern = [] if recipe.pattern == "free" else [recipe.pattern]
    after = [] if recipe.after == "none" else [recipe.after.replace("_", " ")]
    return ", ".join([*removed, *pattern, recipe.criterion.name, *after])


def description(run: Run) -> str:
    """Return what was removed and what was done after it; what distinguishes runs of one recipe comes
    first.
    """
    cut = summary(run.report.recipe)
    return f"{run.recovery}; {cut}" if run.recovery else cut


def _range(ratios: Any, what: str) -> str:
    low, high = (f"{ratio * 100:.0f}" for ratio in (min(ratios), max(ratios)))
    return f"{low if low == high else f'{low}-{high}'} % of {what}"


def when(run: Run) -> str:
    """Return when it was created, in the server's own time."""
    return datetime.fromtimestamp(run.created).strftime("%d %b %H:%M")


def accuracy(report: Report, which: str = "pruned") -> str:
    """Return what the metric measured, with its range and samples."""
    return accuracy_of(getattr(report, which), report.total_samples)


def accuracy_of(measured: Measurement, total: int) -> str:
    """Return a measured number with its range and samples out of the total."""
    return NOT_MEASURED if measured.value is None else format_measured(measured, total)


def facts(run: Run) -> dict[str, str]:
    """Return everything by which two runs are compared: name of the fact -> its text."""
    report, recipe = run.report, run.report.recipe
    dense, now = report.baseline, report.pruned
    change = change_words(report.drop) if report.drop else None
    sizes, before = now.size_bytes or {}, dense.size_bytes or {}
    return {
        "Model": str(report.subject.get("name")),
        "Data": _data(report),
        "Recipe": summary(recipe),
        **_after(run),
        metric_heading(now.metric): accuracy(report),
        f"Dense {metric_title(now.metric or 'accuracy')}": accuracy(report, "baseline"),
        "Change": change.interval if change else NOT_MEASURED,
        "Verdict": change.verdict if change else "",
        "Loss": _loss(report),
        "Parameters": _left(now.params, dense.params),
        "Non-zero": _left(now.nonzero_params, dense.params),
        "MACs": _left(now.macs, dense.macs),
        "File": _left(sizes.get("dense"), before.get("dense"), "B"),
        "File, compressed": _left(sizes.get("deflate"), before.get("deflate"), "B"),
        "Latency": _latency(report),
        "Measured with": _where(report),
        "Made": when(run),
        "Tags": ", ".join(run.tags),
        "Note": run.note,
    }


def _after(run: Run) -> dict[str, str]:
    """Return what was done after the cut, and what it has to be compared with."""
    kept = run.recovery
    if kept is None:
        return {"After the cut": "", "One-shot": "", "Recalibrated": "", "Dense, as much training": ""}
    recovery, total = kept.recovery, kept.recovery.total_samples

    def said(arm):
        return accuracy_of(arm.measurement, total) if arm else NOT_MEASURED

    return {
        "After the cut": f"{kept}, seed {recovery.plan.seeds[0]}",
        "One-shot": said(recovery.one_shot),
        "Recalibrated": said(recovery.recalibrated),
        "Dense, as much training": said(kept.dense),
    }


def _loss(report: Report) -> str:
    """Return the measured loss against the dense model's, and the change that gradients had predicted; for a
    recovered model, that of its cut.
    """
    loss = loss_words(report)
    if not loss.pruned:
        return NOT_MEASURED
    predicted = f", first order {loss.predicted}" if loss.predicted else ""
    return f"{loss.pruned} (dense {loss.dense}, change {loss.change or '0'}{predicted})"


def _where(report: Report) -> str:
    where = report.environment
    return (
        f"{where.get('device_name', where.get('device', 'unknown'))}, torch {where.get('torch', 'unknown')}"
    )


def _data(report: Report) -> str:
    task = report.subject.get("task")
    return f"{task}, {report.split.replace('_', '-')} split" if task else "none"


def _left(after: int | None, before: int | None, unit: str = "") -> str:
    if after is None:
        return NOT_MEASURED
    share = f" ({after / before * 100:.1f} % left)" if before else ""
    return f"{short(after)}{unit and ' ' * (short(after)[-1].isdigit()) + unit}{share}"


def _latency(report: Report) -> str:
    now: Mapping[str, float] | None = report.pruned.latency_ms
    if not now:
        return NOT_MEASURED
    ratio = (
        ", {ratio:.2f} × as fast ({low:.2f} to {high:.2f})".format(**report.speed_up)
        if report.speed_up
        else ""
    )
    return f"{now['median']:.2f} ms ({now['p10']:.2f} to {now['p90']:.2f}){ratio}"
