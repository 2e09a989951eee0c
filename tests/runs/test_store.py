"""The store: what is put is got again, by everything that it depends on; damage and two writers do
no harm.
"""

import json
import multiprocessing
import os
import time
from dataclasses import fields, replace

import pytest

from explorer.errors import ExplorerError
from explorer.runs.store import Store
from explorer.runs.stored_run import NOTE_LIMIT, TAG_COUNT, TAG_LIMIT, RunKey
from explorer.values.recipe import Recipe
from explorer.values.report import Drop, LayerOutcome, Measurement, PartOutcome, Report


def report(ratio=0.5, subject="model", samples=512, **changes):
    measured = Measurement(
        accuracy=0.9, samples=samples, correct=461, params=1000, size_bytes={"dense": 4000}
    )
    values = {
        "subject": {"id": subject, "name": "A model", "task_fingerprint": "task"},
        "recipe": Recipe(channels={"conv1": ratio}),
        "baseline": replace(measured, accuracy=0.95),
        "pruned": measured,
        "drop": Drop(0.05, 0.03, 0.07, "different"),
        "layers": (LayerOutcome("conv1", "conv", (8, 3, 3, 3), (4, 3, 3, 3), 216, 108, 108, 1000, 500),),
        "parts": (PartOutcome("conv1", "channel", ratio, 0.5, 8, 4, "rounded"),),
        "environment": {"device": "cpu", "explorer": "0.1"},
    }
    return Report(**(values | changes))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def file_of(store, name):
    (path,) = store.root.glob(f"runs/*/{name}.json")
    return path


def test_nothing_is_stored_at_first(store):
    assert store.runs() == [] and store.get(RunKey.of(report())) is None
    assert list(store.root.iterdir()) == []


def test_what_is_put_is_got(store):
    name = store.put(report())
    assert store.get(RunKey.of(report())) == report()
    assert store.run(name).report == report() and name == RunKey.of(report()).name


def test_beyond_its_quota_a_store_keeps_no_run_and_deletes_none(tmp_path):
    size = len(file_of(Store(tmp_path), Store(tmp_path).put(report())).read_bytes())
    store = Store(tmp_path, quota=2 * size + 100)
    store.put(report(0.25))
    with pytest.raises(ExplorerError, match="no room for another; delete some"):
        store.put(report(0.75))
    assert len(store.runs()) == 2
    store.put(report(0.25), note="x")  # in place of the same run
    store.delete(store.runs()[0].name)
    store.put(report(0.75))
    assert len(store.runs()) == 2 and len(Store(tmp_path).runs()) == 2


def test_an_infinite_loss_is_kept(store):
    diverged = report(pruned=Measurement(loss=float("inf"), samples=512))
    store.put(diverged)
    assert store.get(RunKey.of(diverged)).pruned.loss == float("inf")


@pytest.mark.parametrize("part", [field.name for field in fields(RunKey)])
def test_each_part_of_the_key_matters(store, part):
    store.put(report())
    key = RunKey.of(report())
    assert store.get(key) is not None
    assert store.get(replace(key, **{part: 3 if part == "samples" else "other"})) is None


def test_the_wanted_key_is_the_key_of_what_was_measured(store):
    class Task:
        fingerprint = "task"

    class Subject:
        id, task = "model", Task()

    wanted = RunKey.wanted(
        Subject(), Recipe(channels={"conv1": 0.5}), 512, "tuning", {"device": "cpu", "explorer": "0.1"}
    )
    assert wanted == RunKey.of(report())


def test_the_same_key_is_one_run(store):
    assert store.put(report(), note="first") == store.put(report(), note="second")
    assert [run.note for run in store.runs()] == ["second"]


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"null", b'{"created": 1}', b"\xff\xfe\x00", b"[" * 100_000]
)
def test_a_damaged_file_is_no_run_and_stays(store, damage):
    name = store.put(report())
    file_of(store, name).write_bytes(damage)
    assert store.get(RunKey.of(report())) is None
    assert store.runs() == [] and file_of(store, name).read_bytes() == damage


def test_one_damaged_file_does_not_hide_the_others(store):
    broken, whole = store.put(report(0.5)), store.put(report(0.25))
    file_of(store, broken).write_bytes(b"not json")
    assert [run.name for run in store.runs()] == [whole]


def test_runs_are_listed_newest_first_and_by_model(store):
    names = [store.put(report(ratio, subject)) for ratio, subject in ((0.1, "a"), (0.2, "b"), (0.3, "a"))]
    for age, name in zip((30, 20, 10), names, strict=True):
        os.utime(file_of(store, name), (time.time() - age,) * 2)
    assert [run.name for run in store.runs()] == names[::-1]
    assert [run.name for run in store.runs("a")] == [names[2], names[0]]
    assert [run.name for run in store.runs(limit=1)] == [names[2]]


def test_notes_tags_and_parent(store):
    parent = store.put(report(0.25))
    name = store.put(report(), note="half", tags=["a", "a", " ", "b"], parent=parent)
    run = store.run(name)
    assert (run.note, run.tags, run.parent) == ("half", ("a", "b"), parent)
    before = file_of(store, name).stat().st_mtime
    store.describe(name, note="x" * 5000, tags=["y" * 99] + [str(i) for i in range(50)])
    run = store.run(name)
    assert len(run.note) == NOTE_LIMIT and len(run.tags[0]) == TAG_LIMIT and len(run.tags) == TAG_COUNT
    assert run.parent == parent and run.report == report()
    assert abs(file_of(store, name).stat().st_mtime - before) < 1


def test_a_run_that_is_kept_again_keeps_its_origin(store):
    first, second = store.put(report(0.25)), store.put(report(0.5), parent=None)
    child = store.put(report(0.75), parent=first)
    assert store.put(report(0.75), parent=second, note="again") == child
    assert (store.run(child).parent, store.run(child).note) == (first, "again")
    assert store.put(report(0.25), parent=child) == first
    assert store.run(first).parent is None, "else it would descend from itself"


def test_the_fingerprint_of_the_masks_is_kept_and_older_files_have_none(store):
    name = store.put(report(), masks="abc123")
    assert store.run(name).masks == "abc123"
    path = file_of(store, name)
    old = json.loads(path.read_text())
    del old["masks"]
    path.write_text(json.dumps(old))
    assert store.run(name).masks is None and store.run(name).report == report()


def test_control_characters_are_left_out_of_notes(store):
    assert store.run(store.put(report(), note="a\x00b\x1b[31m\nc")).note == "ab[31m\nc"


def test_delete(store):
    name = store.put(report())
    store.delete(name)
    store.delete(name)
    assert store.runs() == [] and store.run(name) is None
    with pytest.raises(ExplorerError, match="no longer stored"):
        store.describe(name, note="late")


def test_the_first_letters_of_a_name_do_unless_several_runs_begin_so(store):
    names = [store.put(report(ratio)) for ratio in (0.1, 0.2)]
    assert store.full_name(names[0][:8]) == names[0] and store.full_name(names[1]) == names[1]
    for start in ("", "../", "zz"):
        with pytest.raises(ExplorerError, match="No kept run begins with"):
            store.full_name(start)
    for name in names:
        file_of(store, name).rename(file_of(store, name).with_name(f"ab{name[2:]}.json"))
    with pytest.raises(ExplorerError, match="2 kept runs begin with 'ab'; give more letters"):
        store.full_name("ab")


@pytest.mark.parametrize("name", ["../../etc/passwd", "*", "", "A" * 24, None])
def test_a_foreign_name_does_not_choose_a_path(store, name):
    for verb in (
        store.run,
        store.delete,
        lambda n: store.describe(n, note=""),
        lambda n: store.put(report(), parent=n or ""),
    ):
        with pytest.raises(ExplorerError, match="24 hexadecimal digits"):
            verb(name)


def test_a_foreign_subject_does_not_choose_a_path(store):
    store.put(report(subject="../../../outside"))
    store.open_held_out("../../../outside")
    assert all(store.root in path.resolve().parents for path in store.root.rglob("*"))
    assert not list(store.root.parent.glob("*outside*"))


def test_the_oldest_run_goes_when_the_folder_is_full(store):
    names = [store.put(report(ratio)) for ratio in (0.1, 0.2, 0.3)]
    for age, name in zip((30, 20, 10), names, strict=True):
        os.utime(file_of(store, name), (time.time() - age,) * 2)
    size = file_of(store, names[0]).stat().st_size
    small = Store(store.root, max_bytes=int(3.5 * size))
    newest = small.put(report(0.4))
    assert [run.name for run in small.runs()] == [newest, names[2], names[1]]
    alone = Store(store.root, max_bytes=1).put(report(0.5))
    assert [run.name for run in store.runs()] == [alone]


def test_a_temporary_file_that_a_dead_program_left_goes(store):
    folder = file_of(store, store.put(report())).parent
    old, fresh = folder / "old.tmp", folder / "fresh.tmp"
    for path in (old, fresh):
        path.write_text("half a fi")
    os.utime(old, (time.time() - 7200,) * 2)
    store.put(report(0.25))
    assert not old.exists() and fresh.exists()


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file")
    with pytest.raises(ExplorerError, match="could not be stored"):
        store.put(report())
    with pytest.raises(ExplorerError, match="stays closed"):
        store.open_held_out("model")


def test_openings_of_held_out_data_are_counted_per_model(store):
    assert store.held_out_openings("a") == 0
    assert [store.open_held_out("a") for _ in range(3)] == [1, 2, 3]
    assert store.open_held_out("b") == 1
    assert store.held_out_openings("a") == 3


def test_eviction_never_touches_the_held_out_record(store):
    store.open_held_out("model")
    Store(store.root, max_bytes=1).put(report())
    assert store.held_out_openings("model") == 1


def write_many(root, worker, results):
    store = Store(root)
    for step in range(20):
        store.put(report(0.5), note=f"{worker}-{step}")
        store.put(report(0.01 * (worker * 20 + step + 1)))
        results.put(store.open_held_out("model"))


def test_two_programs_write_at_once(store):
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    programs = [context.Process(target=write_many, args=(store.root, worker, results)) for worker in range(2)]
    for program in programs:
        program.start()
    key, seen = RunKey.of(report()), 0
    while any(program.is_alive() for program in programs):
        seen += store.get(key) is not None
    openings = [results.get(timeout=10) for _ in range(40)]
    for program in programs:
        program.join()
    assert all(program.exitcode == 0 for program in programs) and seen > 0
    assert sorted(openings) == list(range(1, 41)) and store.held_out_openings("model") == 40
    assert len(store.runs()) == 41  # 20 of each program and the one that both wrote
    assert not list(store.root.glob("runs/*/*.tmp"))
