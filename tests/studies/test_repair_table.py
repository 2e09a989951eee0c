"""What a cut costs after each repair: the numbers of pruning and recovery, kept and with their seconds."""

import json
from dataclasses import replace

import pytest
from zoo import odd

from explorer.commands.main import main
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.studies import repair_table as study
from explorer.studies.repair_table import RepairPlan, RepairRow, repair_table
from explorer.values.progress import Step, outcome
from explorer.values.recipe import Recipe

FEW = Conditions(128, latency=False)
PLAN = RepairPlan((0.5,), (1,), 256)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder, model = tmp_path_factory.mktemp("studies"), analyse(load("digits-cnn"))
    return model, folder, outcome(repair_table(model, PLAN, FEW, folder=folder))


def test_rows_are_the_reports_of_their_recipes(measured):
    model, _, rows = measured
    assert [row.arm for row in rows] == ["one-shot", "norms recalibrated", "least squares", "1 epoch"]
    half = Recipe(channels=dict.fromkeys(model.profile.free_groups, 0.5))
    report = prune(model, half, FEW)
    assert rows[0].measured == report.pruned and rows[0].drop == report.drop
    assert rows[2].measured.accuracy > rows[0].measured.accuracy + 0.2
    assert "fitted by least squares on 256" in rows[2].notes[0]
    assert all(row.seconds > 0 for row in rows)


def test_it_continues_where_it_was(measured, monkeypatch):
    model, folder, rows = measured

    def refused(*_, **__):
        raise AssertionError("measured again")

    monkeypatch.setattr(study, "recover", refused)
    monkeypatch.setattr(study, "stream", refused)
    assert outcome(repair_table(model, PLAN, FEW, folder=folder)) == rows
    with pytest.raises(AssertionError, match="measured again"):
        outcome(repair_table(model, replace(PLAN, training=128), FEW, folder=folder))


def test_a_row_survives_json(measured):
    row = measured[2][3]
    assert RepairRow.from_json(json.loads(json.dumps(row.to_json()))) == row


def test_plans_and_models_that_do_not_fit_are_refused():
    for plan in ({"ratios": (1.0,)}, {"ratios": ()}, {"epochs": (0,)}):
        with pytest.raises(ExplorerError):
            RepairPlan(**plan)
    with pytest.raises(ExplorerError, match="no training data"):
        outcome(repair_table(analyse(odd("chain")), PLAN, FEW))


def test_the_verb_prints_it(measured, monkeypatch, capsys):
    monkeypatch.setattr("explorer.commands.study.repair_table", lambda *_: iter([Step(measured[2])]))
    assert main("study repairs digits-cnn".split()) == 0
    assert "least squares" in capsys.readouterr().out
    assert main("study repairs digits-cnn --markdown".split()) == 0
    head, _, line = capsys.readouterr().out.splitlines()
    assert head.startswith(
        "| model | channels removed | one-shot | norms recalibrated | least squares | 1 epoch"
    )
    lost = measured[2][2].drop
    assert line.startswith("| `digits-cnn` | 50 % | ") and f"| {100 * lost.estimate:.1f} (" in line
    assert main("study repairs digits-cnn --epochs one".split()) == 2
    assert "--epochs takes whole numbers" in capsys.readouterr().err
