"""Criteria and allocators of single weights, compared at equally many weights of the same layers."""

import json
from dataclasses import replace

import pytest
import torch
from zoo import odd

from explorer.commands.main import main
from explorer.commands.printing.study_markdown import criteria_markdown
from explorer.engine.candidate import prepare
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError, UnknownNameError
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.measuring.statistics import paired_drop
from explorer.registry import ALLOCATORS
from explorer.studies.criteria_comparison import CriteriaPlan, compare_criteria, recipe_of, taking_part
from explorer.values.progress import outcome

FEW = Conditions(128, latency=False)
PLAN = CriteriaPlan((0.7,), ("l1", "random"), ("uniform", "owl"), ("none",))


@pytest.fixture(scope="module")
def model():
    return analyse(load("digits-mlp"))


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    return tmp_path_factory.mktemp("studies")


@pytest.fixture(scope="module")
def rows(model, studies):
    return outcome(compare_criteria(model, PLAN, FEW, folder=studies))


def test_numbers_are_those_of_pruning_and_changes_are_paired(model, rows):
    assert [(row.criterion, row.allocator) for row in rows] == list(PLAN.pairs) and rows[0].change is None
    split, right = model.subject.task.split("tuning").first(128), []
    for row in (rows[0], rows[2]):
        recipe = recipe_of(model, row.criterion, row.allocator, 0.7)
        report = prune(model, recipe, FEW)
        assert row.measured.correct == report.pruned.correct and row.drop == report.drop
        with torch.inference_mode():
            answers = prepare(model, recipe).model(model.subject.task.normalisation(split.inputs)).argmax(1)
        right.append(answers == split.targets)
    worse, better = int((right[0] & ~right[1]).sum()), int((~right[0] & right[1]).sum())
    by_hand = paired_drop(worse, better, 128, level=1 - 0.05 / 3)
    change = rows[2].change
    expected = (-by_hand.estimate, -by_hand.high, -by_hand.low)
    assert (change.estimate, change.low, change.high) == pytest.approx(expected)
    assert rows[0].measured.accuracy > rows[2].measured.accuracy, "random is the control"


def test_every_recipe_removes_equally_many_weights(model, rows):
    sizes = {name: torch.Size(layer.shape).numel() for name, layer in model.profile.prunable_layers.items()}
    for criterion, allocator in PLAN.pairs:
        ratios = recipe_of(model, criterion, allocator, 0.7).weights
        removed = sum(ratio * sizes[name] for name, ratio in ratios.items())
        assert removed == pytest.approx(0.7 * sum(sizes.values()), abs=1)


def test_what_was_measured_is_read_from_disk(model, studies, rows, monkeypatch):
    monkeypatch.setattr("explorer.studies.criteria_comparison.answers", None)
    assert outcome(compare_criteria(model, PLAN, FEW, folder=studies)) == rows


def test_only_layers_in_numbered_lists_take_part():
    profile = type("Profile", (), {"prunable_layers": dict.fromkeys(["table", "layers.0.up", "head"])})
    assert taking_part(type("Model", (), {"profile": profile})) == ("layers.0.up",)
    profile.prunable_layers = dict.fromkeys(["conv1", "fc"])
    assert taking_part(type("Model", (), {"profile": profile})) == ("conv1", "fc")


def test_parts_of_one_layer_share_what_its_outliers_ask_for():
    plain, outliers = torch.ones(100), torch.cat([torch.ones(95), torch.full((5,), 1000.0)])
    scores = {"layers.0.a": plain, "layers.0.b": plain, "layers.1.a": plain, "layers.1.b": outliers}
    ratios = ALLOCATORS["owl"](scores, 0.6, None, span=0.1)
    assert list(ratios.values()) == pytest.approx([0.7, 0.7, 0.5, 0.5])
    assert set(ALLOCATORS["owl"](dict.fromkeys("ab", plain), 0.6, None).values()) == {0.6}


def test_what_is_not_there_is_refused():
    with pytest.raises(UnknownNameError, match="wandas"):
        CriteriaPlan(criteria=("wandas",))
    with pytest.raises(ExplorerError, match="no data"):
        outcome(compare_criteria(analyse(odd("chain")), PLAN, FEW))


def test_the_verb_prints_it(rows, monkeypatch, capsys):
    from explorer.values.progress import Step

    monkeypatch.setattr("explorer.commands.study.compare_criteria", lambda *_: iter([Step(rows)]))
    assert main("study criteria digits-mlp --removed 0.7".split()) == 0
    out = capsys.readouterr().out
    assert "minus l1, uniform" in out and "accuracy on 128 samples" in out and "worse" in out
    assert main("study criteria digits-mlp --json".split()) == 0
    assert len(json.loads(capsys.readouterr().out)["models"][0]["rows"]) == len(PLAN.pairs)
    assert main("study criteria digits-mlp --markdown".split()) == 0
    head, _, first, _, third, _ = capsys.readouterr().out.strip().splitlines()
    assert head.endswith("| allocator | right after the cut | minus `l1`, `uniform` |")
    value = f"{100 * rows[0].measured.value:.1f} % ({100 * rows[0].measured.low:.1f} % to"
    assert first.startswith(f"| `digits-mlp` | 70 % | `l1` | `uniform` | {value}") and first.endswith("|  |")
    worse = rows[2].change
    assert f"| {100 * worse.estimate:+.1f} points (" in third and worse.high < 0 and " *" not in third
    noisy = replace(rows[2], change=replace(worse, high=0.01))
    assert criteria_markdown({"m": [rows[0], noisy]}).endswith(" to +1.0) * |")
