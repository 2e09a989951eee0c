"""Tables: one row a thing, missing numbers missing, and no cell that a spreadsheet would run."""

import csv
import io
import re
import warnings
from dataclasses import fields, replace

import pandas as pd
import pytest

from explorer import tables
from explorer.runs.stored_run import Run
from explorer.values.choice import Choice
from explorer.values.profile import Group, Layer, ModelProfile, Slot
from explorer.values.recipe import Recipe
from explorer.values.report import Drop, LayerOutcome, Measurement, PartOutcome, Report
from explorer.words import GLOSSARY, LABELS

LAYERS = (Layer("conv1", "conv", (8, 3, 3, 3), 224, 1000, True), Layer("bn1", "norm", (8,), 16, 0, False))
GROUPS = (
    Group(
        "conv1",
        8,
        (Slot("conv1.weight", 0, tuple(range(8)), True),),
        ("conv1", "bn1", "fc"),
        ("added in layer1", "one norm"),
    ),
    Group("fc", 10, (), ("fc",), frozen="its outputs are the model's"),
)
PROFILE = ModelProfile(LAYERS, GROUPS, 240, 1000)
PRUNED = Measurement(
    0.9,
    0.88,
    0.92,
    0.4,
    512,
    461,
    1000,
    500,
    2000,
    {"dense": 4000, "deflate": 3000},
    {"median": 1.5, "p10": 1.0, "p90": 2.0},
)
REPORT = Report(
    {"id": "m", "name": "A model"},
    Recipe({"conv1": 0.5}, {"fc": 0.9}, criterion=Choice("taylor")),
    PRUNED,
    PRUNED,
    Drop(0.05, 0.03, 0.07, "different"),
    (LayerOutcome("conv1", "conv", (8, 3, 3, 3), (4, 3, 3, 3), 216, 108, 100, 1000, 500),),
    (
        PartOutcome("conv1", "channel", 0.5, 0.375, 8, 3, "rounded"),
        PartOutcome("fc", "weight", 0.9, 0.9, 80, 72),
    ),
    {},
)
UNMEASURED = replace(REPORT, recipe=Recipe(), pruned=Measurement(params=1000), drop=None)


def rows(frame):
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def test_layers():
    assert rows(tables.layers(PROFILE)) == [
        {
            "layer": "conv1",
            "kind": "conv",
            "shape": "8 x 3 x 3 x 3",
            "params": 224,
            "macs": 1000,
            "prunable": True,
        },
        {"layer": "bn1", "kind": "norm", "shape": "8", "params": 16, "macs": 0, "prunable": False},
    ]


def test_layer_outcomes():
    (row,) = rows(tables.layer_outcomes(REPORT.layers))
    assert (row["layer"], row["shape"], row["pruned_shape"]) == ("conv1", "8 x 3 x 3 x 3", "4 x 3 x 3 x 3")
    assert (row["params"], row["pruned_params"], row["nonzero_params"], row["pruned_macs"]) == (
        216,
        108,
        100,
        500,
    )


def test_groups_tell_their_members_and_why_they_are_tied_or_frozen():
    free, frozen = rows(tables.groups(PROFILE))
    assert free == {
        "group": "conv1",
        "unit": "channel",
        "units": 8,
        "members": "conv1, bn1, fc",
        "frozen": None,
        "tied_by": "added in layer1; one norm",
    }
    assert frozen["frozen"] == "its outputs are the model's"


def test_parts_tell_requested_achieved_and_the_reason():
    first, second = rows(tables.parts(REPORT.parts))
    assert (first["requested"], first["achieved"], first["reason"]) == (0.5, 0.375, "rounded")
    assert second["reason"] is None


def test_a_curve_has_the_numbers_of_its_reports():
    measured, empty = rows(tables.curve([REPORT, UNMEASURED]))
    assert (measured["ratio"], measured["criterion"], measured["accuracy"], measured["drop"]) == (
        0.9,
        "taylor",
        0.9,
        0.05,
    )
    assert (measured["dense_bytes"], measured["deflate_bytes"], measured["latency_ms"]) == (4000, 3000, 1.5)
    assert empty["ratio"] == 0 and empty["params"] == 1000
    assert all(
        empty[name] is None for name in ("accuracy", "macs", "dense_bytes", "latency_ms", "drop", "verdict")
    )


def test_runs_keep_notes_and_utc_times():
    (row,) = rows(tables.runs([Run("ab", 86_400.0, REPORT, "a note", ("x", "y"), "cd")]))
    assert (row["run"], row["note"], row["tags"], row["parent"], row["model"]) == (
        "ab",
        "a note",
        "x, y",
        "cd",
        "A model",
    )
    assert row["created"] == pd.Timestamp("1970-01-02", tz="UTC")


def test_sample_models():
    cards = {
        "digits-mlp": {"task": "digits", "params": 10, "accuracy": 0.9, "training": {"epochs": 3}},
        "new": {},
    }
    first, second = rows(tables.samples(cards))
    assert first == {"name": "digits-mlp", "task": "digits", "params": 10, "macs": None, "accuracy": 0.9}
    assert second["name"] == "new" and second["params"] is None


EMPTY = {
    "layers": ModelProfile((), (), 0, 0),
    "groups": ModelProfile((), (), 0, 0),
    "layer_outcomes": (),
    "parts": (),
    "runs": (),
    "curve": (),
    "samples": {},
}


@pytest.mark.parametrize("name", list(EMPTY))
def test_an_empty_table_keeps_its_columns_and_types(name):
    table = getattr(tables, name)(EMPTY[name])
    assert len(table) == 0 and len(table.columns) >= 5
    assert set(table.columns) <= set(LABELS)
    assert "object" not in {str(kind) for kind in table.dtypes}


def test_labelled_names_the_units():
    assert list(tables.labelled(tables.layers(PROFILE)))[-2:] == ["MACs per sample", "Weights can be pruned"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t1", "\t=1", " =1", "\n=1"])
def test_a_formula_in_a_text_cell_becomes_text(text):
    written = tables.to_csv(pd.DataFrame({"note": [text], "drop": [-0.25]}))
    header, row = csv.reader(io.StringIO(written, newline=""))
    assert row == [f"'{text}", "-0.25"] and header == ["note", "drop"]


def test_a_carriage_return_does_not_smuggle_in_a_row():
    frame = pd.DataFrame({"note": ["fine\r=1+1", "\r=2", "a\r\nb"]})
    assert list(csv.reader(io.StringIO(tables.to_csv(frame), newline=""))) == [
        ["note"],
        ["fine\n=1+1"],
        ["'\n=2"],
        ["a\nb"],
    ]


def test_harmless_cells_numbers_and_missing_values_are_written_as_they_are():
    frame = pd.DataFrame({"note": ["a-b", None, "2 = 2"], "count": [1, 2, 3]}).astype(
        {"note": "string", "count": "Int64"}
    )
    assert tables.to_csv(frame) == "note,count\na-b,1\n,2\n2 = 2,3\n"


def test_a_formula_in_a_header_becomes_text():
    assert tables.to_csv(pd.DataFrame({"=cmd()": [1]})).startswith("'=cmd()\n")


def test_every_number_of_a_measurement_has_a_label():
    assert {field.name for field in fields(Measurement)} <= set(LABELS)


def test_glossary_entries_are_one_plain_sentence():
    assert len(GLOSSARY) >= 20
    for term, sentence in GLOSSARY.items():
        assert re.fullmatch(r"[A-Z][^.]*(\d\.\d[^.]*)*\.", sentence), term


def test_one_more_row_keeps_the_types_and_warns_of_nothing():
    frame = tables.runs([])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        longer = tables.with_row(tables.with_row(frame, {"params": 3, "note": "a"}), {"params": None})
    assert (longer.dtypes == frame.dtypes).all()
    assert longer["params"].tolist()[0] == 3 and longer["params"].isna().tolist() == [False, True]
    assert longer["accuracy"].isna().all()
