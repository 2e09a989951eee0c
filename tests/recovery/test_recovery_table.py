"""The table of all ways back: equal epochs, rates chosen alike, equal parameters, fair controls; it goes on
where it was.
"""

import json
from dataclasses import replace

import pytest

from explorer.commands.main import main
from explorer.commands.recovery_table import cells, columns
from explorer.engine.candidate import prepare
from explorer.engine.conditions import Conditions
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.machine import paths
from explorer.measuring.statistics import wilson
from explorer.recovery import recovery_table as table
from explorer.recovery.recovery_table import (
    KINDS,
    UNCOUNTED,
    RecoveryRow,
    TablePlan,
    rates_of,
    recipe_at,
    recovery_table,
    trainings,
)
from explorer.values.choice import Choice
from explorer.values.progress import outcome, progress_of, values_of
from explorer.values.recipe import Recipe
from explorer.values.report import Measurement

pytestmark = pytest.mark.usefixtures("shared_cache", "one_thread")

SUBJECT = load("digits-cnn")
GRAPH = graph_of(SUBJECT)
FEW = Conditions(samples=100, latency=False, split="held_out")
SHORT = TablePlan((0.7,), epochs=2, seeds=(0,), rates=(0.01, 1e-6), kinds=("channel",))


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory):
    """What one test trains the others find."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(paths.CACHE_VARIABLE, str(tmp_path_factory.mktemp("table")))
        yield


@pytest.mark.parametrize("ratio", [0.5, 0.9])
def test_channels_go_until_as_many_parameters_are_left_as_single_weights_leave(ratio):
    weights, channels = (
        recipe_at(Analysed(SUBJECT, GRAPH), Recipe(weights={"fc": 0.1}), kind, ratio) for kind in KINDS
    )
    left = prepare(Analysed(SUBJECT, GRAPH), weights).static.nonzero_params
    assert left == pytest.approx(14458 - ratio * 14288, abs=2)  # norms and biases stay
    assert (
        prepare(Analysed(SUBJECT, GRAPH), channels).static.params == pytest.approx(left, rel=0.03)
        and not channels.weights
    )


def test_every_arm_has_the_same_epochs_and_rates_and_random_draws_by_its_seed(monkeypatch):
    asked = []

    def seen(model, recipe, plan, conditions, *, root=None):
        asked.append((recipe, plan, conditions.split))
        return true(model, recipe, plan, conditions, root=root)

    true = table.recover
    monkeypatch.setattr(table, "recover", seen)
    rows = outcome(recovery_table(Analysed(SUBJECT, GRAPH), Recipe(), SHORT, FEW))
    assert len(asked) == trainings(SHORT) == 5 * 3 and {plan.epochs for _, plan, _ in asked} == {2}
    tried = [(plan.learning_rate, split) for _, plan, split in asked if plan.seeds == (UNCOUNTED,)]
    assert tried == [(rate, "tuning") for _ in range(5) for rate in SHORT.rates]
    counted = [(recipe, plan, split) for recipe, plan, split in asked if plan.seeds == (0,)]
    assert [plan.method for _, plan, _ in counted] == [
        "finetune",
        "finetune",
        "iterative",
        "finetune",
        "scratch",
    ]
    assert {split for *_, split in counted} == {"held_out"}
    by_criterion = [recipe for recipe, *_ in asked if recipe.criterion == Choice("random")]
    assert {recipe.seed for recipe in by_criterion} == {0, UNCOUNTED} and {
        row.measured[0].samples for row in rows
    } == {100}
    assert [row.arm for row in rows] == [
        "as it came",
        "retrained",
        "one-shot",
        "recalibrated",
        "retrained",
        "iterative",
        "random, one-shot",
        "random, recalibrated",
        "random, retrained",
        "from scratch",
    ]
    trained = [row for row in rows if row.arm in ("iterative", "from scratch")]
    assert len(trained) == 2 and all(row.learning_rate == 0.01 for row in trained), (
        "a millionth learns nothing"
    )
    assert len({row.macs for row in rows[2:]}) == 1 and len({row.measured[0].params for row in rows[2:]}) == 1


def test_a_table_that_was_stopped_goes_on_where_it_was(own_cache):
    running = recovery_table(Analysed(SUBJECT, GRAPH), Recipe(), SHORT, FEW)
    first = next(values_of(running))
    running.close()
    again = []
    for step in recovery_table(Analysed(SUBJECT, GRAPH), Recipe(), SHORT, FEW):
        again.append(step)
        if step.value is not None:
            break
    assert again[-1].value == first and not any(now.label == "Training" for now in progress_of(again))


def test_the_rates_lie_around_that_of_the_models_own_training():
    assert rates_of(SUBJECT) == (0.1, 0.03, 0.01, 0.003)


def test_the_command_prints_and_writes_the_table(tmp_path, capsys):
    path = tmp_path / "table.json"
    words = [
        "recovery-table",
        "digits-cnn",
        "--ratios",
        "0.7",
        "--kinds",
        "channel",
        "--epochs",
        "2",
        "--seeds",
        "0",
        "--rates",
        "0.01,1e-6",
        "--samples",
        "100",
        "--device",
        "cpu",
        "--held-out",
    ]
    assert main([*words, "--dry-run"]) == 0 and capsys.readouterr().out.startswith("15 trainings of 2 epochs")
    assert main([*words, "-o", str(path)]) == 0
    told = capsys.readouterr().out
    assert (
        "held-out split; 2 epochs for every arm that trains" in told
        and "Held-out data: opened 1 time" in told
    )
    written = json.loads(path.read_text())
    assert [row["arm"] for row in written["rows"]].count("retrained") == 2 and written["plan"]["rates"] == [
        0.01,
        1e-6,
    ]


def test_several_seeds_are_a_mean_with_their_interval():
    measured = tuple(
        Measurement(correct / 100, *wilson(correct, 100), samples=100, correct=correct, loss=0.5)
        for correct in (90, 92, 94)
    )
    row = RecoveryRow("weight", 0.7, "retrained", measured, 0.01)
    assert cells(row)[:5] == ["weight", "70.0 %", "retrained", "92.0 % (87.0 to 97.0), 3 seeds", "0.01"]
    assert cells(replace(row, measured=measured[:1]))[3] == "90.0 % (82.6 to 94.5), 100 of 100"
    assert columns([row])[3] == "accuracy"


def test_a_regressors_table_names_its_own_metric_and_unit():
    error = Measurement(metric="mae", value=0.25, low=0.2, high=0.31, unit="m", samples=100)
    row = RecoveryRow("weight", 0.7, "retrained", (error,), 0.01)
    assert columns([row])[3] == "mean absolute error" and len(columns([row])) == len(cells(row))
    assert cells(row)[3].startswith("0.25") and " m" in cells(row)[3] and "%" not in cells(row)[3]


@pytest.mark.parametrize(
    "flag", [("--kinds", "head"), ("--seeds", "a"), ("--ratios", "1.5"), ("--rates", "0")]
)
def test_what_the_command_cannot_do_is_one_sentence(flag, capsys):
    assert main(["recovery-table", "digits-cnn", *flag]) == 2
    assert capsys.readouterr().err.count("\n") == 1
