"""The table of kept runs: its columns for display, in the numbers of the metric that decides."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from ... import tables
from ...measuring.metric_words import metric_heading, metric_title
from ...measuring.number_words import change_words, format_value
from ...runs.stored_run import Run
from ...values.metric import Scale
from ...values.report import Drop, Measurement
from ..kept_runs.words import called

VERDICTS = (
    "Worse or better: beyond noise. Equivalent: too small to matter (one point of accuracy). Undecided: more "
    "samples may show a difference."
)
CHANGE = "Against the dense model, on the same samples."
NUMBER, TEXT = st.column_config.NumberColumn, st.column_config.TextColumn
COLUMNS = {
    "called": TEXT(
        "Run",
        width=150,
        pinned=True,
        help="Its first four letters, and your note or what the recipe does.",
    ),
    "value": NUMBER("Accuracy", format="%.1f %%", width=75),
    "drop": NUMBER("Change", format="%.1f points", width=90, help=CHANGE),
    "verdict": TEXT("Verdict", width=80, help=VERDICTS),
    "params": NUMBER("Parameters", format="compact", width=85),
    "nonzero_params": NUMBER("Non-zero", format="compact", width=80),
    "macs": NUMBER("MACs", format="compact", width=65),
    "latency_ms": NUMBER("Latency", format="%.2f ms", width=75),
    "range": TEXT("95 % range", width=100),
    "ground": TEXT("Samples", width=95, help="How many, of which split."),
    "model": TEXT("Model", width="small"),
}


def frame_of(shown: Sequence[Run]) -> Any:
    """Return the table of `tables.runs` with columns for display only; of one model, it ends with the dense
    one.
    """
    frame = tables.runs(shown)
    frame["called"] = [called(run) for run in shown]
    if len(_scales(shown)) > 1:
        frame["value"] = [_value(run.report.pruned) for run in shown]
        frame["drop"] = [change_words(d).amount if (d := run.report.drop) else "" for run in shown]
    else:
        factor = shown[0].report.scale.factor
        frame["drop"], frame["value"] = -factor * frame["drop"], factor * frame["value"]
    frame["verdict"] = [_verdict(run.report.drop) for run in shown]
    frame["range"] = [_range(run.report.pruned) for run in shown]
    frame["ground"] = [_measured_on(run) for run in shown]
    if not has_several_models(shown):
        frame = tables.with_row(frame, _dense_row(shown))
    return frame


def shown_columns(shown: Sequence[Run], frame: Any) -> list[str]:
    """Return the columns that tell these runs apart, so that a window of 800 pixels shows them all. What is
    the same for all of them, or as in another column, is in the file that can be saved.
    """
    left_out = set() if has_several_models(shown) else {"model"}
    if (frame["nonzero_params"] > 0.999 * frame["params"]).all():  # a fresh bias is zero, too
        left_out.add("nonzero_params")
    if frame["ground"].nunique() == 1:
        left_out.add("ground")
    return [name for name in COLUMNS if name not in left_out]


def has_several_models(shown: Sequence[Run]) -> bool:
    return len({run.report.subject.get("name") for run in shown}) > 1


def columns(shown: Sequence[Run]) -> dict[str, Any]:
    """Return how Streamlit shows each column."""
    return COLUMNS | _measured_columns(shown)


def _scales(shown: Sequence[Run]) -> set[Scale]:
    """Return the metrics by which these runs were measured."""
    return {run.report.scale for run in shown if run.report.pruned.value is not None}


def _measured_columns(shown: Sequence[Run]) -> dict[str, Any]:
    """Return the columns of the metric and its change: numbers, or text if there are several metrics."""
    scales = _scales(shown)
    if scales <= {Scale()}:
        return {}
    if len(scales) > 1:
        return {"value": TEXT("Quality", width=150), "drop": TEXT("Change", width=110, help=CHANGE)}
    (scale,) = scales
    number = "%.1f" if scale.unit == "%" else "%.4g"
    units = ("%%", "points") if scale.unit == "%" else (scale.unit, scale.unit)
    value, drop = (f"{number} {unit}".rstrip() for unit in units)
    better = "" if scale.sign > 0 else " Lower is better."
    heading = metric_heading(scale.metric)
    return {
        "value": NUMBER(heading, format=value, width=30 + 7 * max(8, len(heading)), help=better or None),
        "drop": NUMBER("Change", format=drop, width=95, help=CHANGE + better),
    }


def _value(measured: Measurement) -> str:
    """Return a value with the name of its metric."""
    if measured.value is None:
        return ""
    return f"{format_value(measured.value, measured.unit)} {metric_title(measured.metric or 'accuracy')}"


def _dense_row(shown: Sequence[Run]) -> dict[str, Any]:
    """Return the dense model as the last row, to compare with; it can't be chosen."""
    run, several = shown[0], len(_scales(shown)) > 1
    dense, report = run.report.baseline, run.report
    number = None if dense.value is None else report.scale.factor * dense.value
    return {
        "called": "dense model",
        "drop": "" if several else None,
        "verdict": "",
        "value": _value(dense) if several else number,
        "range": _range(dense),
        "ground": _measured_on(run),
        "params": dense.params,
        "nonzero_params": dense.nonzero_params,
        "macs": dense.macs,
        "dense_bytes": (dense.size_bytes or {}).get("dense"),
        "latency_ms": (dense.latency_ms or {}).get("median"),
        "model": report.subject.get("name"),
    }


def _verdict(drop: Drop | None) -> str:
    """Return a verdict in the words of the Prune page: which way a difference goes."""
    if drop is None:
        return ""
    return ("worse" if drop.worse else "better") if drop.verdict == "different" else drop.verdict


def _range(measured: Measurement) -> str:
    if measured.low is None or measured.high is None:
        return ""
    if measured.unit == "%":
        return f"{measured.low * 100:.1f} to {measured.high * 100:.1f} %"
    return f"{measured.low:.4g} to {measured.high:.4g} {measured.unit or ''}".rstrip()


def _measured_on(run: Run) -> str:
    report = run.report
    return (
        f"{report.pruned.samples:,} {report.split.replace('_', '-')}" if report.pruned.samples else "no data"
    )
