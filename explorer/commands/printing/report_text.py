"""Report -> text for a terminal: every quality with its range, every difference with its reason."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ...measuring.metric_words import metric_title
from ...measuring.number_words import change_words, format_measured, measured_words
from ...measuring.predicted_loss import loss_words
from ...values.report import Measurement, PartOutcome, Report
from ...values.subject import OF_CLASSES
from .output import percent, table


def quality(measured: Measurement, total: int) -> str:
    """Return the value of what decides, with its range and the samples it was measured on."""
    return format_measured(measured, total)


def quality_name(report: Report) -> str:
    """Return the deciding metric, and which direction is better if that is not the usual one."""
    name = metric_title(report.baseline.metric or "accuracy")
    return f"{name} (lower is better)" if report.drop and report.drop.better == "lower" else name


def loss_text(measured: Measurement) -> str | None:
    """Return the loss, in nats."""
    return None if measured.loss is None else f"{measured.loss:.3f}"


def report_text(report: Report) -> str:
    """Return everything that a Report says about the whole model and about each part."""
    where = report.environment
    data = (
        f"{report.subject['task']} data, {report.split.replace('_', '-')} split"
        if report.subject["task"]
        else "no data"
    )
    lines = [f"{report.subject['name']} on {where['device']}, {data}", ""]
    lines += [table(["", "dense", "pruned", "change"], list(_rows(report)))]
    if report.parts:
        lines += [
            "",
            table(
                ["part", "unit", "asked for", "removed", "units", "why they differ"],
                [_part(p) for p in report.parts],
            ),
        ]
    return "\n".join([*lines, *(["", *report.notes] if report.notes else [])])


def _part(part: PartOutcome) -> list[str]:
    units = f"{part.removed:,} of {part.units:,}"
    return [
        part.name,
        part.granularity,
        percent(part.requested),
        percent(part.achieved),
        units,
        part.reason or "",
    ]


def _rows(report: Report) -> Iterator[list[str]]:
    dense, pruned, total = report.baseline, report.pruned, report.total_samples
    change = change_words(report.drop) if report.drop else None
    first = [quality_name(report), quality(dense, total), quality(pruned, total)]
    yield [*first, change.interval if change else ""]
    if change:
        yield ["", "", "", change.verdict]
    if report.repaired:
        mended = change_words(report.repaired_drop).interval if report.repaired_drop else ""
        yield ["repaired by least squares", "", quality(report.repaired, total), mended]
    for name, other in (pruned.others or {}).items():
        dense_other = (dense.others or {}).get(name, {})
        yield [metric_title(name), *(_other(found) for found in (dense_other, other)), ""]
    loss = loss_words(report)
    if loss.pruned:
        predicted = f"; first order {loss.predicted}" if loss.predicted else ""
        unit = " (nats)" if dense.metric in (None, *OF_CLASSES) else ""
        yield [f"loss{unit}", loss.dense, loss.pruned, f"{loss.change}{predicted}"]
    for label, value in _QUANTITIES.items():
        before, after = value(dense), value(pruned)
        if before is not None and after is not None:
            yield [label, f"{before:,}", f"{after:,}", percent(after / before) + " left" if before else ""]
    if dense.latency_ms and pruned.latency_ms:
        threads = report.environment["threads"]
        label = f"latency, {threads} thread{'s' * (threads != 1)}"
        yield [label, _milliseconds(dense), _milliseconds(pruned), _speed(report)]


def _other(found: Mapping[str, Any]) -> str:
    words = measured_words(Measurement(**found, metric="other", samples=0), 0)
    return words.interval if words else "not measured"


def _size(format: str) -> Callable[[Measurement], int | None]:
    return lambda measured: (measured.size_bytes or {}).get(format)


_QUANTITIES: dict[str, Callable[[Measurement], int | None]] = {
    "parameters": lambda measured: measured.params,
    "non-zero": lambda measured: measured.nonzero_params,
    "MACs per sample": lambda measured: measured.macs,
    "bytes, dense": _size("dense"),
    "bytes, bitmask": _size("bitmask"),
    "bytes, compressed": _size("deflate"),
}


def _milliseconds(measured: Measurement) -> str:
    assert measured.latency_ms is not None
    return "{median:.2f} ms ({p10:.2f} to {p90:.2f})".format(**measured.latency_ms)


def _speed(report: Report) -> str:
    found = report.speed_up
    return "{verdict}: {ratio:.2f} times ({low:.2f} to {high:.2f})".format(**found) if found else ""
