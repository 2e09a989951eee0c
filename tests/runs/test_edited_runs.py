"""Kept files that somebody edited, by a seed: each is either refused with one sentence that names the field,
or whatever reads it can use it. No file is ever deleted or overwritten for what is in it.
"""

import copy
import json
import random
import time
from dataclasses import asdict

import pytest
from mangling import ANYTHING, mangled, places
from test_store import file_of, report

from explorer import tables
from explorer.errors import ExplorerError
from explorer.figures.family_tree import family_tree
from explorer.figures.pareto import pareto
from explorer.figures.side_by_side import layers_side_by_side, ratios_side_by_side
from explorer.lessons.class_board import Board, BoardPoint, Classroom
from explorer.lessons.class_file import opened, save
from explorer.recovery.training_plan import RecoveryPlan
from explorer.recovery.values import EpochPoint, LossPoint, MeasuredArm, Recovery
from explorer.recovery.what_was_done import Kept
from explorer.runs.comparison import COSTS, family, grounds, left_out, machine_of, matching, points
from explorer.runs.snapshot_file import SnapshotFile
from explorer.runs.store import Store
from explorer.runs.stored_run import Run, RunKey
from explorer.studies.criteria_comparison import CriteriaRow
from explorer.studies.live_correlations import Tried
from explorer.studies.repair_table import RepairRow
from explorer.studies.sensitivity.scan_log import Count, PointResult, ScanLog
from explorer.ui.compare.runs_table import columns, frame_of, shown_columns
from explorer.ui.kept_runs.words import called, facts, is_trial
from explorer.values import json_fields
from explorer.values.recipe import Recipe
from explorer.values.report import Drop, Measurement

NAME = "a" * 24
DROP = Drop(0.05, 0.03, 0.07, "different")
MEASURED = Measurement(
    accuracy=0.9,
    accuracy_low=0.88,
    accuracy_high=0.92,
    loss=0.3,
    samples=512,
    correct=461,
    params=1000,
    nonzero_params=900,
    macs=5000,
    size_bytes={"dense": 4000, "deflate": 3000},
    latency_ms={"median": 1.0, "p10": 0.9, "p90": 1.2, "batch": 1},
    others={"macro_f1": {"value": 0.8, "low": 0.7, "high": 0.9, "unit": "%"}},
)
ARM = MeasuredArm("one-shot", MEASURED, DROP)


def recovery():
    return Recovery(
        subject={"id": "model", "name": "A model", "task": "digits"},
        key="k" * 24,
        recipe=Recipe(channels={"conv1": 0.5}),
        plan=RecoveryPlan(),
        baseline=MEASURED,
        total_samples=512,
        one_shot=ARM,
        recalibrated=ARM,
        recovered=(ARM,),
        losses=(LossPoint(0.5, 0.4, None, 1e-3),),
        epochs=(EpochPoint(0, "training", 1, True, MEASURED, DROP, 0.5, (1, 2)),),
        environment={"device": "cpu"},
        finished=True,
    )


def run_data():
    speed_up = {"ratio": 1.4, "low": 1.3, "high": 1.5, "verdict": "faster"}
    measured = report(baseline=MEASURED, pruned=MEASURED, drop=DROP, speed_up=speed_up, dtype_effect=DROP)
    run = Run(NAME, time.time(), measured, "note", ("tag",), "b" * 24, "c" * 16, Kept(recovery(), ARM))
    return json.loads(json.dumps(run.to_json()))


def compared(runs):
    """Everything that the Compare page does with runs, but its widgets."""
    names = {run.name: called(run) for run in runs}
    frame = frame_of(runs)
    shown_columns(runs, frame), columns(runs)
    tables.to_csv(tables.labelled(tables.runs(runs))).encode()
    for cost in COSTS:
        for ground in grounds(runs):
            fitting = [run for run in runs if left_out(run, ground, cost, machine_of(runs[0])) is None]
            placed = points(fitting, cost, names)
    pareto(placed if grounds(runs) else (), "latency", [])
    family_tree(family(runs), names, [])
    reports = {names[run.name]: run.report for run in runs}
    ratios_side_by_side(reports), layers_side_by_side(reports)
    for run in runs:
        "".join(facts(run).values()).encode()
        is_trial(run), matching([run], "digits conv1", ["tag"]), RunKey.of(run.report, run.recovery)
        {run.report.subject["id"]}


def used(data, read, use, times, seed):
    """Read edited data so many times; return how many were refused, and how many broke what uses them."""
    chance, refused, broken = random.Random(seed), 0, []
    for _ in range(times):
        changed = json.loads(json.dumps(mangled(data, chance), default=str))
        try:
            value = read(changed)
        except Exception as error:
            if not isinstance(error, ExplorerError):
                broken.append(repr(error))
                continue
            assert 12 < len(str(error)) <= 1200, error
            refused += 1
            continue
        try:
            use(value)
        except Exception as error:
            broken.append(repr(error))
    return refused, broken


def read_run(data):
    return Run.from_json(NAME, data)


@pytest.mark.parametrize("times", [120, pytest.param(5_000, marks=pytest.mark.heavy)])
def test_what_is_read_of_an_edited_run_can_be_compared(times):
    refused, broken = used(run_data(), read_run, lambda run: compared([run]), times, seed=1)
    assert not broken and times // 2 < refused < times


def test_the_same_edits_break_the_comparison_if_types_are_not_checked(monkeypatch):
    """The negative control."""
    free = dict.fromkeys(json_fields.SIMPLE, lambda value: value)
    monkeypatch.setattr(json_fields, "SIMPLE", free)
    json_fields._reader.cache_clear(), json_fields._fields_of.cache_clear()
    try:
        assert len(used(run_data(), read_run, lambda run: compared([run]), 60, seed=1)[1]) > 3
    finally:
        json_fields._reader.cache_clear(), json_fields._fields_of.cache_clear()


def test_a_wrong_value_anywhere_in_a_report_is_named():
    """Each place in turn holds a list of lists, which no field can be but those for anything."""
    data = run_data()
    free = {"environment", "subject", "others", "params"}
    for path in list(places(data)):
        changed = copy.deepcopy(data)
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = [[]]
        if free & {*path[:-1]} or path[-1] == "worse":
            continue
        with pytest.raises(ExplorerError) as refused:
            print(path, read_run(changed))
        assert {"recipe", "plan"} & {*path[:-1]} or str(path[-1]) in str(refused.value), path


def write(store, data):
    path = store._path("model", NAME)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, default=str))
    return path


def test_no_edit_makes_the_store_delete_a_file(tmp_path):
    store, chance, data = Store(tmp_path), random.Random(2), run_data()
    for _ in range(60):
        path = write(store, mangled(data, chance))
        before = path.read_bytes()
        listing = store.listing()
        assert len(listing.runs) + len(listing.refused) == 1 and store.runs() == list(listing.runs)
        if listing.refused:
            with pytest.raises(ExplorerError, match=r"cannot be read: .* Correct its file, or delete"):
                store.run(NAME)
            with pytest.raises(ExplorerError, match="cannot be read"):
                store.describe(NAME, note="x")
        assert path.read_bytes() == before


def test_a_run_that_is_measured_again_puts_the_edited_file_aside(tmp_path):
    store = Store(tmp_path)
    for turn, ending in enumerate(("", ".2")):
        name = store.put(report(), note="mine")
        path = file_of(store, name)
        edited = path.read_text().replace('"samples": 512', '"samples": "many"')
        path.write_text(edited)
        assert store.get(RunKey.of(report())) is None and store.put(report()) == name
        assert path.with_name(f"{name}.json{ending}.aside").read_text() == edited, turn
    assert [run.name for run in store.runs()] == [name]


def test_only_refused_files_are_deleted_on_request(tmp_path):
    store = Store(tmp_path)
    whole, broken = store.put(report(0.25)), store.put(report(0.5))
    file_of(store, broken).write_text("{}")
    refused = store.listing().refused
    assert [one.name for one in refused] == [broken] and "is missing" in refused[0].why
    mended = store.put(report(0.75))
    store.delete_refused(refused)
    assert {run.name for run in store.runs()} == {whole, mended} and not store.listing().refused


def test_one_edited_snapshot_does_not_take_the_others_with_it(tmp_path):
    file = SnapshotFile(tmp_path, "model")
    file.write({"half": Recipe(channels={"conv1": 0.5}), "most": Recipe(weights={"fc": 0.9})})
    (path,) = (tmp_path / "snapshots").iterdir()
    edited = path.read_text().replace("0.5", '"half"')
    path.write_text(edited)
    assert set(file.read()) == {"most"}
    file.write(file.read())
    assert path.with_name(f"{path.name}.aside").read_text() == edited and set(file.read()) == {"most"}


@pytest.mark.parametrize("content", ["", "[1]", "{", "null", '{"a": 1}', "[" * 100_000])
def test_a_damaged_file_of_snapshots_is_put_aside(tmp_path, content):
    file = SnapshotFile(tmp_path, "model")
    file.write({})
    (path,) = (tmp_path / "snapshots").iterdir()
    path.write_text(content)
    assert file.read() == {}
    file.write({"half": Recipe(channels={"conv1": 0.5})})
    assert path.with_name(f"{path.name}.aside").read_text() == content and set(file.read()) == {"half"}


def test_an_edited_board_is_opened_or_refused_and_stays(tmp_path):
    path, chance = tmp_path / "class.json", random.Random(3)
    point = BoardPoint("Ann", "digits-cnn", 0.5, 0.9, 0.88, 0.92, 450, Recipe().to_url())
    save(Classroom(Board({"Ann": [point, point]})), path)
    data, refused = json.loads(path.read_text()), 0
    for _ in range(400):
        path.write_text(json.dumps(mangled(data, chance), default=str))
        before = path.read_bytes()
        try:
            room = opened(path)
        except ExplorerError as error:
            assert "no file of a class" in str(error)
            refused += 1
            assert path.read_bytes() == before
        else:
            save(room, tmp_path / "copy.json")
    assert 100 < refused < 400


def test_edited_lines_of_a_scan_are_left_out(tmp_path):
    log, chance = ScanLog(tmp_path, "scan"), random.Random(4)
    result = json.loads(json.dumps(PointResult(0.9, (DROP,)).to_json()))
    good = json.loads(json.dumps(Count("conv1", 0.5, 0.5, 512, 461, 20, 3, 150.0, 120.0, result).to_json()))
    lines = [json.dumps(mangled(good, chance), default=str) for _ in range(400)]
    lines += [json.dumps(good), *(json.dumps(item, default=str) for item in ANYTHING)]
    log.path.parent.mkdir(parents=True, exist_ok=True)
    log.path.write_text("\n".join(lines))
    found = log.read()
    assert 1 <= len(found) < 250 and sum(asdict(count) == asdict(found[-1]) for count in found) >= 1
    for count in found:
        assert count.result is None or PointResult.from_json(count.result).drop(0.95)
        assert (
            max(count.correct, count.worse, count.better) <= count.samples and count.loss + 0.0 == count.loss
        )


@pytest.mark.parametrize(
    "row",
    [
        RepairRow(0.5, "none", MEASURED, DROP, 1.5, ("a",)),
        CriteriaRow("l1", "uniform", 0.5, "none", MEASURED, 5, DROP, None),
        Tried("uniform", Recipe(channels={"conv1": 0.5}), 0.4, {"live": (0.9, None)}),
        recovery(),
    ],
    ids=lambda row: type(row).__name__,
)
def test_rows_and_recoveries_are_read_whole_or_refused(row):
    data, kind = json.loads(json.dumps(row.to_json())), type(row)
    assert kind.from_json(data) == row
    refused, broken = used(data, kind.from_json, lambda value: json.dumps(value.to_json()), 200, seed=5)
    assert not broken and refused > 80
