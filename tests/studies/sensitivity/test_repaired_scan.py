"""A scan of repaired models: each point is that of its repaired recipe, and is kept apart from others."""

from dataclasses import replace

import pytest
from zoo import odd

from explorer.commands.main import main
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.studies.sensitivity.additivity import additivity
from explorer.studies.sensitivity.scan import known, scan
from explorer.studies.sensitivity.values import ScanPlan
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe

FEW = Conditions(128, latency=False)
PLAN = ScanPlan("channel", (0.7,), None, Recipe(after="least_squares"))


@pytest.mark.parametrize("granularity", ["channel", "weight"])
def test_a_point_is_the_report_of_its_repaired_recipe(granularity, tmp_path):
    model = analyse(load("digits-mlp"))
    plan = replace(PLAN, granularity=granularity)
    scanned = outcome(scan(model, plan, FEW, folder=tmp_path))
    plain = outcome(scan(model, replace(plan, recipe=Recipe()), FEW, folder=tmp_path))
    assert scanned.finished and scanned.plan.is_repaired and not plain.plan.is_repaired
    for point in scanned.points:
        recipe = Recipe(after="least_squares").with_ratios(granularity, {point.part: point.ratio})
        report = prune(model, recipe, FEW)
        assert point.correct == report.pruned.correct and point.achieved > 0.6
    assert sum(p.correct for p in scanned.points) > sum(p.correct for p in plain.points)


def test_it_is_kept_apart_and_known_again(tmp_path):
    model = analyse(load("digits-mlp"))
    scanned = outcome(scan(model, PLAN, FEW, folder=tmp_path))
    assert known(model, PLAN, FEW, folder=tmp_path) == scanned
    assert known(model, replace(PLAN, recipe=Recipe()), FEW, folder=tmp_path) is None


def test_other_repairs_are_ignored_as_before():
    assert ScanPlan(recipe=Recipe(after="bn_recalibration")) == ScanPlan()


def test_what_cannot_be_repaired_is_refused(tmp_path):
    with pytest.raises(ExplorerError):
        outcome(scan(analyse(odd("chain")), PLAN, FEW, folder=tmp_path))
    model = analyse(load("digits-mlp"))
    untrained = {"tuning": model.subject.task.split("tuning")}
    task = replace(model.subject.task, load_split=untrained.get, data=None)
    blind = replace(model, subject=replace(model.subject, task=task))
    with pytest.raises(ExplorerError, match="needs training data"):
        outcome(scan(blind, PLAN, FEW, folder=tmp_path))


def test_drops_after_a_repair_are_not_added_up_to_one_without(tmp_path):
    model = analyse(load("digits-mlp"))
    scanned = outcome(scan(model, PLAN, FEW, folder=tmp_path))
    recipe = Recipe(channels=dict.fromkeys(model.profile.free_groups, 0.5))
    with pytest.raises(ExplorerError, match="differ"):
        additivity(scanned, recipe, prune(model, recipe, FEW))
    repaired = replace(recipe, after="least_squares")
    assert additivity(scanned, repaired, prune(model, repaired, FEW)).parts == len(recipe.channels)


def test_the_verbs_ask_for_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PRUNING_EXPLORER_CACHE", str(tmp_path))
    words = "--after least_squares --samples 64"
    assert main(f"scan digits-mlp --ratios 0.5 --exact {words}".split()) == 0
    assert "hidden1" in capsys.readouterr().out
    asked = "--weights 0.3 --allocator sensitivity_budget --no-latency"
    assert main(f"prune digits-mlp {asked} {words}".split()) == 0
    out, err = capsys.readouterr()
    assert "repaired points on up to 64 samples" in err and "fitted by least squares" in out
