"""Allocators against uniform ratios at equally many parameters, on the same samples."""

import json

import pytest
import torch
from zoo import odd

from explorer.commands.main import main
from explorer.commands.printing.study_text import gain_verdict
from explorer.engine.candidate import prepare
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.measuring.statistics import paired_drop
from explorer.planning.allocate import allocate
from explorer.planning.allocation import Allocation
from explorer.registry import ALLOCATORS
from explorer.studies.allocator_comparison import ComparisonPlan, compare_allocators
from explorer.studies.equal_parameters import near
from explorer.values.choice import Choice
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe
from explorer.values.report import Drop

FEW = Conditions(128, latency=False)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    model = analyse(load("digits-mlp"))
    folder = tmp_path_factory.mktemp("scans")
    return model, outcome(compare_allocators(model, ComparisonPlan((0.5,)), FEW, folder=folder))


def test_every_allocator_takes_part_with_and_without_a_repair(compared):
    _, rows = compared
    assert [row.after for row in rows] == ["none"] * len(ALLOCATORS) + ["least_squares"] * len(ALLOCATORS)
    assert {row.allocator for row in rows} == set(ALLOCATORS) and rows[0].allocator == "uniform"
    # the scan that came with the sample is enough for the allocator that needs one
    assert next(row for row in rows if row.allocator == "sensitivity_budget").measured is not None


def test_numbers_are_those_of_pruning_and_gains_are_paired(compared):
    model, rows = compared
    start = Recipe(criterion=Choice("l1"))

    def at(name):
        return lambda target: allocate(model, start, Allocation(Choice(name), target, "channel"))

    right = {}
    for row in rows[:2]:
        recipe, left = near(model, at(row.allocator), 0.5)
        report = prune(model, recipe, FEW)
        assert row.measured.correct == report.pruned.correct and row.drop == report.drop
        assert row.left == left == pytest.approx(report.pruned.params / report.baseline.params)
        small, split = prepare(model, recipe).model, model.subject.task.split("tuning").first(128)
        with torch.inference_mode():
            answers = small(model.subject.task.normalisation(split.inputs)).argmax(1)
        right[row.allocator] = answers == split.targets
    uniform, other = right.values()
    flips = int((uniform & ~other).sum()), int((~uniform & other).sum())
    expected = paired_drop(*flips, 128, level=rows[1].gain.level)
    assert rows[1].gain.estimate == pytest.approx(-expected.estimate)
    assert (rows[1].gain.low, rows[1].gain.high) == pytest.approx((-expected.high, -expected.low))
    assert rows[0].gain is None and rows[1].gain.level > 0.95  # all allocators together


def test_a_gain_is_better_only_beyond_noise():
    assert gain_verdict(Drop(0.02, 0.01, 0.03, "different")) == "better"
    assert gain_verdict(Drop(0.02, 0.01, 0.03, "different", better="lower")) == "worse"
    assert gain_verdict(Drop(-0.02, -0.03, 0.01, "undecided")) == "no difference beyond noise"


def test_an_allocator_that_cannot_take_part_says_why(tmp_path):
    model = analyse(load("digits-mlp"))
    plan = ComparisonPlan((0.5,), criterion="l2", after=("none",))
    rows = outcome(compare_allocators(model, plan, FEW, folder=tmp_path))
    (row,) = (row for row in rows if row.allocator == "sensitivity_budget")
    assert row.measured is None and row.why == "no finished scan is known"
    with pytest.raises(ExplorerError, match="no data"):
        outcome(compare_allocators(analyse(odd("chain")), plan, FEW, folder=tmp_path))


def test_those_that_were_named_share_the_error_rate(tmp_path):
    plan = ComparisonPlan((0.5,), after=("none",), allocators=("lamp", "erk"))
    rows = outcome(compare_allocators(analyse(load("digits-mlp")), plan, FEW, folder=tmp_path))
    assert [row.allocator for row in rows] == ["uniform", "lamp", "erk"]
    assert rows[1].gain.level == pytest.approx(1 - 0.05 / 2)
    with pytest.raises(ExplorerError, match="No allocator named 'even'"):
        ComparisonPlan(allocators=("even",))


def test_the_verb_prints_it(compared, monkeypatch, capsys):
    from explorer.values.progress import Step

    _, rows = compared
    monkeypatch.setattr("explorer.commands.study.compare_allocators", lambda *_: iter([Step(rows)]))
    assert main("study allocators digits-mlp --removed 0.5".split()) == 0
    out = capsys.readouterr().out
    assert "minus uniform" in out and "least squares" in out and "lamp" in out
    assert main("study allocators digits-mlp --json".split()) == 0
    data = json.loads(capsys.readouterr().out)
    assert len(data["models"][0]["rows"]) == len(rows)
    assert main("study allocators digits-mlp --markdown".split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| model | removed | allocator | right after the cut | repaired by least squares |"
    assert len(lines) == 2 + len(ALLOCATORS)
    uniform, repaired = rows[0].measured, rows[len(ALLOCATORS)].measured
    cells = f"| {100 * uniform.accuracy:.1f} | {100 * repaired.accuracy:.1f} |"
    assert lines[2] == f"| `digits-mlp` | 50 % | `uniform` {cells}"
    assert main("study allocators digits-mlp --removed 1.5".split()) == 2
    assert "--removed takes fractions" in capsys.readouterr().err
