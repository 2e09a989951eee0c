"""Which live number orders recipes as retraining does: equal parameters, intervals, and continuing."""

import json
from dataclasses import replace

import pytest
import torch

from explorer.commands.main import main
from explorer.commands.printing.study_markdown import live_markdown
from explorer.engine.candidate import prepare
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError
from explorer.figures.live_numbers import live_numbers as drawn
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.recovery.training_plan import suggested
from explorer.studies import live_numbers as study
from explorer.studies.equal_parameters import NEAR, RATED_BY, mixed
from explorer.studies.kept_rows import KeptRows
from explorer.studies.live_correlations import NUMBERS, LiveNumbers, LivePlan, Tried, pooled
from explorer.values.progress import outcome, values_of
from explorer.values.recipe import Recipe

PLAN = LivePlan(8, 0.5, epochs=1, training=128, again=False)
FEW = Conditions(64, latency=False)


def known(**columns: list[float]) -> LiveNumbers:
    """A study whose numbers are given, one list a number."""
    rows = zip(*columns.values(), strict=True)

    def pair(value):
        return (None, None) if value is None else (value, -value)

    tried = [
        Tried(str(at), Recipe(seed=at), 0.3, dict(zip(columns, map(pair, row), strict=True)))
        for at, row in enumerate(rows)
    ]
    return LiveNumbers("m", replace(PLAN, recipes=len(tried)), "accuracy", "higher", (1, 0), 9, tuple(tried))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies")
    model = analyse(load("digits-mlp"))
    return model, folder, list(values_of(study.live_numbers(model, PLAN, FEW, folder=folder)))


# --------------------------------------------------------------------------- by hand


def test_a_number_in_the_same_order_is_perfect_and_chance_is_not():
    order = [float(n) for n in range(20)]
    chance = torch.randperm(20, generator=torch.Generator().manual_seed(0)).tolist()
    rows = known(one_shot=chance, repaired=order, retrained=order).correlations()
    by_number = {one.number: one for one in rows}
    assert by_number["repaired"].estimate == by_number["repaired"].low == by_number["repaired"].high == 1
    assert by_number["repaired"].verdict == "better than right after the cut"
    assert by_number["one_shot"].low < 0 < by_number["one_shot"].high and by_number["one_shot"].verdict == ""


def test_a_number_that_is_as_good_by_luck_is_not_called_better():
    generator = torch.Generator().manual_seed(1)
    end, a, b = torch.rand(3, 20, generator=generator).tolist()
    (_, other) = known(one_shot=a, repaired=b, retrained=end).correlations()
    assert other.verdict == "no difference beyond noise"
    assert other.gain_low < other.gain < other.gain_high


def test_the_bootstrap_covers_the_true_correlation():
    """Of normal pairs with a known correlation; percentile intervals of 30 pairs are a little too short."""
    rho, inside = 0.6, 0
    true = 6 / torch.pi * torch.asin(torch.tensor(rho / 2))  # Spearman's, of a bivariate normal
    for seed in range(25):
        x, noise = torch.randn(2, 30, generator=torch.Generator().manual_seed(seed))
        y = rho * x + (1 - rho**2) ** 0.5 * noise
        (one,) = known(one_shot=x.tolist(), retrained=y.tolist()).correlations()
        inside += one.low <= true <= one.high
    assert 20 <= inside <= 25


def test_a_number_that_some_recipe_lacks_is_left_out_and_losses_have_their_own_sign():
    order = [float(n) for n in range(10)]
    found = known(one_shot=order, recalibrated=[None, *order[1:]], first_order=order[:], retrained=order)
    assert [one.number for one in found.correlations()] == ["one_shot", "first_order"]
    # the prediction is a growth of the loss: -(-v) orders by value, -v by loss
    assert [one.estimate for one in found.correlations()] == [1, 1]
    assert [one.estimate for one in found.correlations("loss")] == [1, 1]


def test_the_mean_over_models_is_the_mean_of_their_correlations():
    order = [float(n) for n in range(10)]
    up, down = known(one_shot=order, retrained=order), known(one_shot=order[::-1], retrained=order)
    (one,) = pooled([up, down])
    assert one.estimate == 0 and pooled([]) == ()


# --------------------------------------------------------------------------- measured


def test_all_recipes_leave_equally_many_parameters(measured):
    model, _, steps = measured
    kinds = {one.name.split(" ")[0].rstrip(",") for one in steps[-1].tried}
    assert {"random", "uniform", "erk"} <= kinds
    for one in steps[-1].tried:
        params = prepare(model, one.recipe).static.params
        assert params / model.profile.params == pytest.approx(one.left, abs=1e-6)
        assert abs(one.left - PLAN.left) <= NEAR
    assert len({one.recipe.fingerprint for one in steps[-1].tried}) == PLAN.recipes


def test_single_weights_are_rated_by_criteria_that_rate_weights():
    first = [
        named for named, _ in zip(mixed(analyse(load("digits-mlp")), "weight", 0.3), range(6), strict=False)
    ]
    assert all(named.recipe.weights and not named.recipe.channels for named in first)


def test_only_the_allocators_that_were_asked_for_propose_recipes():
    found = mixed(analyse(load("digits-mlp")), "channel", 0.3, ("erk", "sensitivity_budget"))
    names = [named.name for named, _ in zip(found, range(16), strict=False)]
    assert [name for name in names if not name.startswith("random")] == [
        f"erk, {criterion}" for criterion in RATED_BY
    ]


def test_numbers_are_those_of_pruning(measured):
    model, _, steps = measured
    assert [len(step.tried) for step in steps] == list(range(1, 9)) and steps[-1].finished
    one = steps[-1].tried[1]
    assert one.numbers["one_shot"][0] == prune(model, one.recipe, FEW).pruned.accuracy
    assert one.numbers["recalibrated"] == (None, None)  # a model without norms
    assert one.numbers["repaired"][0] is not None and one.numbers["first_order"][1] is not None
    assert "retrained_again" not in one.numbers


def test_it_continues_where_it_was_and_trains_nothing_twice(measured, monkeypatch):
    model, folder, steps = measured

    def refused(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(study, "recover", refused)
    again = outcome(study.live_numbers(model, PLAN, FEW, folder=folder))
    assert again.to_json() == steps[-1].to_json()
    with pytest.raises(AssertionError, match="trained again"):  # another plan is another study
        outcome(study.live_numbers(model, replace(PLAN, epochs=2), FEW, folder=folder))


def test_a_damaged_line_is_measured_again(tmp_path):
    rows = KeptRows("s", {"a": 1}, tmp_path)
    rows.add("x", {"v": 1.0})
    with rows.path.open("a") as file:
        file.write('{"name": "y", "row"\n')
    again = KeptRows("s", {"a": 1}, tmp_path)
    assert again.get("x", dict) == {"v": 1.0} and again.get("y", dict) is None


def test_an_edited_row_is_measured_again(tmp_path):
    rows = KeptRows("s", {"a": 1}, tmp_path)
    tried = Tried("uniform", Recipe(channels={"conv1": 0.5}), 0.4, {"live": (0.9, None)})
    rows.add("x", tried.to_json())
    assert KeptRows("s", {"a": 1}, tmp_path).get("x", Tried.from_json) == tried
    rows.path.write_text(rows.path.read_text().replace("0.4", '"0.4"'))
    assert KeptRows("s", {"a": 1}, tmp_path).get("x", Tried.from_json) is None


def test_only_the_training_samples_that_were_asked_for_are_used():
    subject = load("digits-mlp")
    fewer = study.with_training(subject, 100)
    assert len(fewer.task.split("training")) == 100 and len(subject.task.split("training")) > 100
    assert torch.equal(fewer.task.split("tuning").inputs, subject.task.split("tuning").inputs)
    assert study.with_training(subject, 10**6) is subject
    assert suggested(fewer, epochs=1).learning_rate == suggested(subject, epochs=1).learning_rate


def test_the_verb_prints_what_was_measured(measured, monkeypatch, capsys, tmp_path):
    _, _, steps = measured
    plan = "--recipes 8 --left 0.5 --epochs 1 --training 128 --samples 64 --once".split()
    monkeypatch.setattr("explorer.commands.study.live_numbers", lambda *_: iter_of(steps[-1]))
    file = tmp_path / "live.html"
    words = ["study", "live-numbers", "digits-mlp", "digits-mlp", *plan]
    assert main([*words, "-o", str(file)]) == 0
    out = capsys.readouterr().out
    assert "digits-mlp: 8 recipes of channels that leave 50.0 % of the parameters" in out
    assert "Mean of 2 models" in out and "repaired by least squares" in out
    assert b"Which number predicts" in file.read_bytes()
    assert main([*words, "--markdown"]) == 0
    assert "| repaired by least squares |" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["models"][0] == json.loads(json.dumps(steps[-1].to_json())) and data["mean"]["value"]


def test_the_markdown_table_has_a_column_for_each_model_and_says_what_is_better():
    order = [float(n) for n in range(20)]
    chance = torch.randperm(20, generator=torch.Generator().manual_seed(0)).tolist()
    good = known(one_shot=chance, repaired=order, retrained=[n / 20 for n in order])
    bare = known(one_shot=order, repaired=order, retrained=[n / 20 for n in order])
    lines = live_markdown([good, bare]).splitlines()
    assert lines[0] == "Retrained from 0.0 to 95.0 % (`m`), 0.0 to 95.0 % (`m`)."
    assert lines[2] == "| number | `m`, 20 recipes | `m`, 20 recipes | mean | minus right after the cut |"
    (repaired, *_) = (line for line in lines if line.startswith("| repaired by least squares"))
    cells = [cell.strip() for cell in repaired.split("|")[2:-1]]
    assert cells[0] == "1.00 (1.00 to 1.00), better" and cells[1] == "1.00 (1.00 to 1.00)"
    assert cells[2] == "1.00 (1.00 to 1.00)" and cells[3].startswith("+0.")
    assert "| norms recalibrated | - | - | - |  |" in lines


def test_each_model_may_have_epochs_of_its_own(measured, monkeypatch, capsys):
    plans = []

    def noted(_, plan, *__):
        plans.append(plan.epochs)
        return iter_of(measured[2][-1])

    monkeypatch.setattr("explorer.commands.study.live_numbers", noted)
    assert main("study live-numbers digits-mlp digits-mlp --epochs 10,3".split()) == 0 and plans == [10, 3]
    assert main("study live-numbers digits-mlp digits-mlp --epochs 4".split()) == 0 and plans[2:] == [4, 4]
    assert main("study live-numbers digits-mlp --epochs 10,3".split()) == 2 and len(plans) == 4
    assert "one for each model" in capsys.readouterr().err


def iter_of(found):
    from explorer.values.progress import Step

    yield Step(found)


@pytest.mark.parametrize(
    "plan, sentence",
    [
        ({"recipes": 3}, "--recipes must be from 8"),
        ({"left": 1.0}, "--left must be between"),
        ({"epochs": 0}, "--epochs must be"),
        ({"training": 1}, "--training must be"),
        ({"allocators": ("even",)}, "No allocator named 'even'"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(plan, sentence):
    with pytest.raises(ExplorerError, match=sentence):
        LivePlan(**plan)


# --------------------------------------------------------------------------- the figure


def test_each_mark_is_a_models_correlation_with_its_interval():
    order = [float(n) for n in range(12)]
    found = known(one_shot=order[::-1], repaired=order, retrained=order)
    (trace,) = drawn([found]).data
    assert list(trace.x) == [-1, 1] and list(trace.y) == [NUMBERS["one_shot"], NUMBERS["repaired"]]
    assert trace.name == "m" and list(trace.error_x.array) == [0, 0]
    assert drawn([]).layout.annotations[0].text == "Nothing to show yet"
