"""Each column of the table of runs is of one kind: numbers of one metric, or text for several."""

from dataclasses import replace

import pytest

from explorer.runs.stored_run import Run
from explorer.ui.compare.runs_table import COLUMNS, columns, frame_of, shown_columns
from explorer.values.recipe import Recipe
from explorer.values.report import Drop, Measurement, Report

ACCURACY = Measurement(0.9, 0.88, 0.92, samples=100, correct=90, params=10)
MAE = Measurement(metric="mae", value=1.5, low=1.4, high=1.6, unit="m", samples=100, params=10)
LOST = {"accuracy": Drop(0.05, 0.03, 0.07, "different"), "mae": Drop(-0.5, -0.6, -0.4, "different")}


def run(measured: Measurement, model: str = "one") -> Run:
    drop = LOST[measured.metric or "accuracy"]
    if measured.metric == "mae":
        drop = replace(drop, metric="mae", unit="m", better="lower")
    subject = {"id": model, "name": model, "task": "data", "task_fingerprint": "data"}
    report = Report(subject, Recipe(), measured, measured, drop, (), (), {}, total_samples=100)
    return Run(f"{model} {drop.metric}", 0.0, report)


def kinds(column) -> set[type]:
    """What kinds of value a column holds, all numbers being one kind."""
    return {str if isinstance(value, str) else float for value in column.dropna()}


@pytest.mark.parametrize("measured, value, change", [(ACCURACY, 90.0, -5.0), (MAE, 1.5, 0.5)])
def test_one_metric_is_a_column_of_numbers_with_the_dense_model_at_the_end(measured, value, change):
    frame = frame_of([run(measured)])
    assert frame["value"].tolist() == pytest.approx([value, value])
    assert frame["drop"].iloc[0] == pytest.approx(change) and kinds(frame["drop"]) == {float}
    assert frame["called"].iloc[-1] == "dense model"
    assert columns([run(measured)]).keys() == COLUMNS.keys()


def test_several_metrics_are_columns_of_text_to_the_last_row():
    frame = frame_of([run(ACCURACY), run(MAE)])
    assert kinds(frame["value"]) == kinds(frame["drop"]) == {str}
    assert frame["value"].tolist()[1:] == ["1.5 m mean absolute error", "90.0 % accuracy"]


def test_runs_of_several_models_have_no_dense_row():
    assert "dense model" not in frame_of([run(ACCURACY), run(ACCURACY, "two")])["called"].tolist()


def test_a_narrow_window_has_room_for_the_columns_that_tell_runs_apart():
    dense, sparse = (replace(ACCURACY, nonzero_params=count) for count in (10, 4))
    shown = [run(dense), run(replace(dense, samples=100))]
    names = shown_columns(shown, frame_of(shown))
    assert not {"nonzero_params", "ground", "model"} & set(names)
    assert sum(COLUMNS[name]["width"] for name in names) <= 768 - 36  # less the page's edges and the ticks
    shown = [run(sparse), run(replace(dense, samples=50))]
    assert {"nonzero_params", "ground"} <= set(shown_columns(shown, frame_of(shown)))
