"""Recovered models as stored runs: beside one-shot runs of the same recipe, replayed, exported; and the room
that they take.
"""

import os
import time
from dataclasses import replace

import pytest
import torch

from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.machine import paths
from explorer.recovery import disk_limit
from explorer.recovery.checkpoints import RESULT, Folder
from explorer.recovery.controls import controls
from explorer.recovery.disk_limit import make_room
from explorer.recovery.recover import recover, recovered_model
from explorer.recovery.results import dense_control, finished, recovered_masks, recovered_reports
from explorer.recovery.training_plan import RecoveryPlan
from explorer.recovery.values import Recovery
from explorer.recovery.what_was_done import Kept
from explorer.runs.comparison import family, matching
from explorer.runs.keep_recovery import TAG, Remarks, keep
from explorer.runs.replay import replay
from explorer.runs.store import Store
from explorer.runs.stored_run import RunKey
from explorer.studies.flips import Contender, ask
from explorer.values.progress import outcome, values_of
from explorer.values.recipe import Recipe
from explorer.values.report import Report

pytestmark = pytest.mark.usefixtures("own_cache", "one_thread")

SUBJECT = load("digits-mlp")
GRAPH = graph_of(SUBJECT)
MODEL = Analysed(SUBJECT, GRAPH)
RECIPE = Recipe(channels={"hidden1": 0.5}, weights={"hidden2": 0.5})
FEW = Conditions(samples=100, latency=False)
SHORT = RecoveryPlan(epochs=1, batch_size=256)


def recovered(plan: RecoveryPlan = SHORT, recipe: Recipe = RECIPE) -> Recovery:
    return outcome(recover(Analysed(SUBJECT, GRAPH), recipe, plan, FEW))


def kept(found: Recovery, store: Store, **given) -> str:
    return outcome(keep(Analysed(SUBJECT, GRAPH), found, FEW, store, **given))


def last_report(found: Recovery) -> Report:
    return outcome(recovered_reports(Analysed(SUBJECT, GRAPH), found, FEW))


@pytest.fixture
def store():
    return Store(paths.cache())


# --------------------------------------------------------------------------- a report of the recovered model


def test_the_report_counts_what_the_recovery_counted():
    found = recovered()
    report, arm = last_report(found), found.recovered[0]
    assert report.stage == "final" and report.pruned.correct == arm.measurement.correct
    assert report.pruned.nonzero_params == arm.measurement.nonzero_params and report.drop == arm.drop
    pruned = prune(Analysed(SUBJECT, GRAPH), RECIPE, FEW)
    assert (report.pruned.params, report.pruned.macs, report.parts) == (
        pruned.pruned.params,
        pruned.pruned.macs,
        pruned.parts,
    )
    assert report.pruned.loss != pruned.pruned.loss and report.notes == (
        "After the cut: fine-tuned, 1 epoch, seed 0.",
    )


# --------------------------------------------------------------------------- a run of its own


def test_a_recovered_model_stands_beside_the_one_shot_run_of_its_recipe(store):
    found = recovered()
    name = kept(found, store, remarks=Remarks("won back"))
    run, parent = store.run(name), store.run(store.run(name).parent)
    assert run.recovery == Kept(found) and run.tags == (TAG,) and run.note == "won back"
    assert parent.recovery is None and parent.report.recipe == RECIPE and parent.name != name
    assert run.report.pruned.correct != parent.report.pruned.correct
    assert [(branch.depth, branch.run.name) for branch in family(store.runs())] == [
        (0, parent.name),
        (1, name),
    ]
    assert matching(store.runs(), "fine-tuned") == [run] and matching(store.runs(), tags=[TAG]) == [run]


def test_a_one_shot_run_that_is_there_becomes_the_parent(store):
    origin = store.put(prune(Analysed(SUBJECT, GRAPH), Recipe(channels={"hidden1": 0.2}), FEW))
    one_shot = store.put(prune(Analysed(SUBJECT, GRAPH), RECIPE, FEW), note="mine", parent=origin)
    assert store.run(kept(recovered(), store, remarks=Remarks(origin=origin))).parent == one_shot
    assert store.run(one_shot).note == "mine" and len(store.runs()) == 3


def test_each_plan_and_each_seed_is_a_run_of_its_own(store):
    plans = [SHORT, replace(SHORT, epochs=2), replace(SHORT, seeds=(1,))]
    names = {kept(recovered(plan), store) for plan in plans}
    assert len(names) == 3 and len(store.runs()) == 4
    assert kept(recovered(SHORT), store) in names  # kept again, it is the same run


def test_without_a_recovery_keys_are_what_they_were():
    key = RunKey("model", "task", "recipe", 512, "tuning", "float32", "cpu", "0.1")
    assert key.name == "6100d7ac9d8de2a121701d69"  # the hash of the eight other parts alone
    assert replace(key, recovery="plan-0").name != key.name


def test_the_dense_control_is_kept_with_it(store):
    found = recovered()
    assert dense_control(SUBJECT, SHORT, FEW) is None
    control = controls(RECIPE, SHORT)[0]
    trained = recovered(control.plan, control.recipe)
    run = store.run(kept(found, store))
    assert run.recovery.dense == trained.recovered[0] == dense_control(SUBJECT, SHORT, FEW)


def test_a_recovery_that_is_not_finished_is_not_taken_for_one():
    steps = recover(Analysed(SUBJECT, GRAPH), RECIPE, replace(SHORT, epochs=3), FEW)
    found = next(known for known in values_of(steps) if known.epochs)
    steps.close()
    assert finished(found.key) is None and finished("nothing") is None
    with pytest.raises(ExplorerError, match="start the recovery again"):
        recovered_masks(found.key)


# --------------------------------------------------------------------------- replay, answers


@pytest.mark.parametrize(
    "plan", [SHORT, RecoveryPlan("iterative", epochs=2, rounds=2, batch_size=256)], ids=["once", "rounds"]
)
def test_a_replay_finds_the_same_masks_and_the_same_count(store, plan):
    run = store.run(kept(recovered(plan), store))
    found = outcome(replay(Analysed(SUBJECT, GRAPH), run))
    assert found.same_masks and found.same_count and found.masks == run.masks


def test_a_replay_sees_masks_and_weights_that_were_changed(store):
    found = recovered()
    run = store.run(kept(found, store))
    elsewhere = replace(run, masks="0" * 24)
    assert next(values_of(replay(Analysed(SUBJECT, GRAPH), elsewhere))).same_masks is False
    folder = Folder(found.key)
    tensors, about = folder.read(RESULT)
    folder.write(
        RESULT,
        {name: torch.zeros_like(t) if name.startswith("model/") else t for name, t in tensors.items()},
        about,
    )
    assert outcome(replay(Analysed(SUBJECT, GRAPH), run)).same_count is False
    (folder.path / RESULT).unlink()
    with pytest.raises(ExplorerError, match="no longer in the cache"):
        list(replay(Analysed(SUBJECT, GRAPH), run))


def test_a_recovered_model_answers_with_its_own_weights():
    found = recovered()
    asked = [Contender("cut", MODEL, RECIPE), Contender("trained", MODEL, RECIPE, found)]
    poll = outcome(ask(asked, FEW))
    assert int(poll.tallies["trained"].correct.sum()) == found.recovered[0].measurement.correct
    assert int(poll.tallies["cut"].correct.sum()) == found.one_shot.measurement.correct


# --------------------------------------------------------------------------- room on disk


def used_bytes() -> int:
    return sum(file.stat().st_size for file in (paths.cache() / "recoveries").rglob("*") if file.is_file())


def aged(key: str, seconds: float) -> None:
    for file in Folder(key).path.iterdir():
        os.utime(file, (time.time() - seconds,) * 2)


def test_the_longest_unused_go_and_kept_ones_stay(store):
    plans = [replace(SHORT, seeds=(seed,)) for seed in range(4)]
    keys = [recovered(plan).key for plan in plans]
    kept(recovered(plans[0]), store)
    for place, key in enumerate(keys):
        aged(key, 10_000 - 1_000 * place)
    before = used_bytes()
    assert before > 0
    assert make_room(max_bytes=before) == 0
    freed = make_room(max_bytes=before - 1)
    assert [Folder(key).path.exists() for key in keys] == [
        True,
        False,
        True,
        True,
    ] and used_bytes() == before - freed
    recovered_model(Analysed(SUBJECT, GRAPH), keys[2])  # used now, so the next one goes before it
    make_room(max_bytes=used_bytes() - 1)
    assert [Folder(key).path.exists() for key in keys] == [True, False, True, False]
    aged(keys[2], 9_000)
    make_room(max_bytes=0)
    assert [Folder(key).path.exists() for key in keys] == [True, False, False, False]
    store.delete(store.runs()[0].name)
    store.delete(store.runs()[0].name)
    aged(keys[0], 9_000)
    assert make_room(max_bytes=0) > 0 and used_bytes() == 0


def test_what_was_used_just_now_stays():
    key = recovered().key
    assert make_room(max_bytes=0) == 0 and Folder(key).path.exists()
    aged(key, 2 * disk_limit.IN_USE)
    assert make_room(max_bytes=0, own=[key]) == 0
    assert make_room(max_bytes=0) > 0


def test_a_new_recovery_makes_room(monkeypatch):
    old = recovered().key
    aged(old, 10_000)
    monkeypatch.setattr(disk_limit, "MAX_BYTES", 0)
    new = recovered(replace(SHORT, seeds=(7,))).key
    assert not Folder(old).path.exists() and Folder(new).path.exists()
