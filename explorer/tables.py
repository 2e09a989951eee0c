"""Values -> pandas.DataFrame, one row for each layer, group, part, run or point; missing numbers stay
missing.

Columns have the names of the values' fields, which `labels.LABELS` translates for the screen.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from .measuring.number_words import change_words
from .runs.stored_run import Run
from .studies.flips import Flips
from .studies.sensitivity.values import Scan
from .values.profile import ModelProfile
from .values.report import LayerOutcome, Measurement, PartOutcome, Report
from .words import LABELS

FORMULA_STARTS = ("=", "+", "-", "@")
TEXT, WHOLE, REAL, FLAG = "string", "Int64", "Float64", "boolean"

LAYER_COLUMNS = {"layer": TEXT, "kind": TEXT, "shape": TEXT, "params": WHOLE, "macs": WHOLE, "prunable": FLAG}
OUTCOME_COLUMNS = {
    "layer": TEXT,
    "kind": TEXT,
    "shape": TEXT,
    "pruned_shape": TEXT,
    "params": WHOLE,
    "pruned_params": WHOLE,
    "nonzero_params": WHOLE,
    "macs": WHOLE,
    "pruned_macs": WHOLE,
}
GROUP_COLUMNS = {
    "group": TEXT,
    "unit": TEXT,
    "units": WHOLE,
    "members": TEXT,
    "tied_by": TEXT,
    "frozen": TEXT,
}
PART_COLUMNS = {
    "name": TEXT,
    "granularity": TEXT,
    "requested": REAL,
    "achieved": REAL,
    "units": WHOLE,
    "removed": WHOLE,
    "reason": TEXT,
}
MEASURED_COLUMNS = {
    "samples": WHOLE,
    "accuracy": REAL,
    "accuracy_low": REAL,
    "accuracy_high": REAL,
    "loss": REAL,
    "params": WHOLE,
    "nonzero_params": WHOLE,
    "macs": WHOLE,
    "dense_bytes": WHOLE,
    "deflate_bytes": WHOLE,
    "latency_ms": REAL,
}
FLIP_COLUMNS = {
    "first": TEXT,
    "second": TEXT,
    "both_right": WHOLE,
    "only_first": WHOLE,
    "only_second": WHOLE,
    "both_wrong": WHOLE,
    "agreement": REAL,
    "change": TEXT,
    "p_value": REAL,
}
FADER_COLUMNS = {"part": TEXT, "bank": TEXT, "removed": REAL, "units": WHOLE, "params": WHOLE, "note": TEXT}
QUANTITY_COLUMNS = {"quantity": TEXT, "dense": REAL, "pruned": REAL}
VALUE_COLUMNS = {"metric": TEXT, "value": REAL, "low": REAL, "high": REAL, "unit": TEXT}
DROP_COLUMNS = {"drop": REAL, "drop_low": REAL, "drop_high": REAL, "verdict": TEXT}
RUN_COLUMNS = (
    {
        "run": TEXT,
        "created": "datetime64[s, UTC]",
        "model": TEXT,
        "criterion": TEXT,
        "recovery": TEXT,
        "split": TEXT,
    }
    | MEASURED_COLUMNS
    | VALUE_COLUMNS
    | DROP_COLUMNS
    | {"note": TEXT, "tags": TEXT, "parent": TEXT}
)
CURVE_COLUMNS = (
    {"ratio": REAL, "criterion": TEXT, "split": TEXT} | MEASURED_COLUMNS | VALUE_COLUMNS | DROP_COLUMNS
)
SCAN_COLUMNS = (
    {"part": TEXT, "granularity": TEXT, "ratio": REAL, "achieved": REAL, "samples": WHOLE, "correct": WHOLE}
    | DROP_COLUMNS
    | {"exact_low": REAL, "exact_high": REAL, "p_holm": REAL, "finding": TEXT}
)
SAMPLE_COLUMNS = {"name": TEXT, "task": TEXT, "params": WHOLE, "macs": WHOLE, "accuracy": REAL}


def _frame(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    """Return the named columns with their types, even if there are no rows."""
    return pd.DataFrame(list(rows), columns=list(columns)).astype(columns)


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def layers(profile: ModelProfile) -> pd.DataFrame:
    """Return the layers of a model before it is pruned, in the order of the graph."""
    rows = ({**vars(layer), "layer": layer.name, "shape": _shape(layer.shape)} for layer in profile.layers)
    return _frame(rows, LAYER_COLUMNS)


def layer_outcomes(outcomes: Iterable[LayerOutcome]) -> pd.DataFrame:
    """Return what remains of each layer."""
    rows = (
        o.to_json() | {"layer": o.name, "shape": _shape(o.shape), "pruned_shape": _shape(o.pruned_shape)}
        for o in outcomes
    )
    return _frame(rows, OUTCOME_COLUMNS)


def groups(profile: ModelProfile) -> pd.DataFrame:
    """Return coupled groups: their units, the layers that they touch, why they are coupled, and why they are
    frozen if they are.
    """
    rows = (
        {
            "group": g.name,
            "unit": g.unit,
            "units": g.units,
            "members": ", ".join(g.members),
            "tied_by": "; ".join(g.tied_by),
            "frozen": g.frozen,
        }
        for g in profile.groups
    )
    return _frame(rows, GROUP_COLUMNS)


def parts(outcomes: Iterable[PartOutcome]) -> pd.DataFrame:
    """Return requested against achieved ratios, with the reason for a difference."""
    return _frame((outcome.to_json() for outcome in outcomes), PART_COLUMNS)


def _measured(measured: Measurement) -> dict[str, Any]:
    size, latency = measured.size_bytes or {}, measured.latency_ms or {}
    return measured.to_json() | {
        "dense_bytes": size.get("dense"),
        "deflate_bytes": size.get("deflate"),
        "latency_ms": latency.get("median"),
    }


def _lost(report: Report) -> dict[str, Any]:
    lost = report.drop
    return (
        {"drop": lost.estimate, "drop_low": lost.low, "drop_high": lost.high, "verdict": lost.verdict}
        if lost
        else {}
    )


def quantities(report: Report) -> pd.DataFrame:
    """Return everything that was measured, one row for each quantity: the dense model next to the pruned one,
    then the change of the metric that decides.
    """
    measured = [(_measured(side), side) for side in (report.baseline, report.pruned)]
    columns = [*MEASURED_COLUMNS, *(() if report.scale.metric == "accuracy" else ("value", "low", "high"))]
    names = [name for name in columns if any(row.get(name) is not None for row, _ in measured)]
    rows = [
        {"quantity": name, "dense": measured[0][0].get(name), "pruned": measured[1][0].get(name)}
        for name in names
    ]
    for form in sorted(
        {*(report.baseline.size_bytes or {}), *(report.pruned.size_bytes or {})} - {"dense", "deflate"}
    ):
        sizes = [(side.size_bytes or {}).get(form) for _, side in measured]
        rows.append({"quantity": f"{form}_bytes", "dense": sizes[0], "pruned": sizes[1]})
    if report.predicted_loss_change is not None:
        rows.append(
            {"quantity": "predicted_loss_change", "dense": None, "pruned": report.predicted_loss_change}
        )
    rows += [
        {"quantity": name, "dense": None, "pruned": _lost(report)[name]}
        for name in DROP_COLUMNS
        if report.drop and name != "verdict"
    ]
    return _frame(rows, QUANTITY_COLUMNS)


def flips(pairs: Iterable[Flips]) -> pd.DataFrame:
    """Return pairs of models on the same samples; `change` is that of the second against the first, as
    text.
    """
    rows = (
        {
            **vars(pair),
            "agreement": None if pair.same_answer is None else pair.same_answer / pair.samples,
            "change": change_words(pair.drop).short,
        }
        for pair in pairs
    )
    return _frame(rows, FLIP_COLUMNS)


def runs(stored: Iterable[Run]) -> pd.DataFrame:
    """Return stored runs in the order given; `created` in UTC, `drop` in the metric's own number: dense minus
    pruned.
    """
    rows = (
        {
            "run": run.name,
            "created": pd.Timestamp(run.created, unit="s", tz="UTC"),
            "model": run.report.subject.get("name"),
            "criterion": run.report.recipe.criterion.name,
            "recovery": str(run.recovery or "") or None,
            "split": run.report.split,
            "note": run.note,
            "tags": ", ".join(run.tags),
            "parent": run.parent,
            **_measured(run.report.pruned),
            **_lost(run.report),
        }
        for run in stored
    )
    return _frame(rows, RUN_COLUMNS)


def with_row(frame: pd.DataFrame, row: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows and one more at the end; cells that it lacks are missing, columns keep their type."""
    last = len(frame)
    longer = frame.reindex([*frame.index, last])
    for name, value in row.items():
        longer.at[last, name] = value
    return longer


def curve(reports: Iterable[Report]) -> pd.DataFrame:
    """Return the points of a curve in the order given; `ratio` is the largest one in the recipe."""
    rows = (
        {
            "ratio": max([*report.recipe.channels.values(), *report.recipe.weights.values()], default=0.0),
            "criterion": report.recipe.criterion.name,
            "split": report.split,
            **_measured(report.pruned),
            **_lost(report),
        }
        for report in reports
    )
    return _frame(rows, CURVE_COLUMNS)


def scans(scans: Iterable[Scan]) -> pd.DataFrame:
    """Return every point of some scans: its drop, the interval of the drop on all samples, and whether it is
    real in the family of its scan.
    """
    rows: list[dict[str, Any]] = []
    for scan in scans:
        judged = scan.findings()
        for point in scan.points:
            finding, lost = judged[point.part, point.ratio], point.drop
            rows.append(
                {
                    **vars(point),
                    "drop": lost.estimate,
                    "drop_low": lost.low,
                    "drop_high": lost.high,
                    "verdict": lost.verdict,
                    "exact_low": point.reach.low,
                    "exact_high": point.reach.high,
                    "p_holm": finding.p_adjusted,
                    "finding": finding.word,
                }
            )
    return _frame(rows, SCAN_COLUMNS)


def samples(cards: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return the sample models: name -> card with task, params, macs and accuracy where known."""
    return _frame(({**card, "name": name} for name, card in cards.items()), SAMPLE_COLUMNS)


def faders(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row for each fader: part, bank, per cent removed, units, parameters, note."""
    return _frame(rows, FADER_COLUMNS)


def labelled(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the same table with the screen's names and units as its columns."""
    return frame.rename(columns=LABELS)


def harmless(cell: Any) -> Any:
    """Return a cell of a CSV file that no spreadsheet runs as a formula. A value that is not text stays as it
    is.
    """
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\r\n", "\n").replace(
        "\r", "\n"
    )  # a bare \r is not quoted, and would begin a new row
    # a spreadsheet runs text that begins like a formula; the apostrophe prevents it
    return f"'{text}" if text.lstrip().startswith(FORMULA_STARTS) or text.startswith("\t") else text


def to_csv(frame: pd.DataFrame) -> str:
    """Return the table as CSV text. Text that a spreadsheet would take for a formula gets an apostrophe in
    front.

    >>> to_csv(pd.DataFrame({"note": ["=1+1", "fine"], "drop": [-0.1, 0.2]}))
    "note,drop\\n'=1+1,-0.1\\nfine,0.2\\n"
    """
    safe = frame.rename(columns=harmless).astype(object).map(harmless)
    return safe.to_csv(index=False, lineterminator="\n")
