"""The parts of recovery by hand-made numbers: schedules, plans, losses, penalties, bias correction, controls,
cost, command.
"""

import json
import zipfile
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load as read_tensors
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD
from torch.optim.lr_scheduler import OneCycleLR

from explorer.commands.main import main
from explorer.engine.candidate import build, prepare
from explorer.engine.conditions import Conditions
from explorer.errors import ExplorerError, RecipeError
from explorer.figures.recovery_accuracy import recovery_accuracy
from explorer.figures.recovery_arms import recovery_arms
from explorer.figures.recovery_loss import recovery_loss
from explorer.figures.recovery_norms import recovery_norms
from explorer.figures.style import NOTHING
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.machine import paths
from explorer.measuring.statistics import paired_drop
from explorer.pruning.decision import decide
from explorer.recovery.controls import controls, spread
from explorer.recovery.cost import Cost, counted, estimate
from explorer.recovery.distillation import Objective, distillation_loss
from explorer.recovery.finetuning import sown
from explorer.recovery.progress import TrainingPlace, chosen_epoch, curve_width
from explorer.recovery.recover import recover
from explorer.recovery.regularisation import EDGES, count_norms, shrink
from explorer.recovery.schedules import LEARNING_RATES, PRUNING, learning_rate, shares, strengths
from explorer.recovery.students import DENSE
from explorer.recovery.training_plan import METHODS, RecoveryPlan, suggested
from explorer.recovery.values import EpochPoint, LossPoint, MeasuredArm, Recovery
from explorer.repair.bias_correction import correct_biases, kept_outputs
from explorer.values.choice import Choice
from explorer.values.plain import finite
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe
from explorer.values.report import Measurement
from explorer.values.samples import Split
from explorer.values.subject import Normalisation

CNN, MLP = load("digits-cnn"), load("digits-mlp")
GRAPH = graph_of(CNN)


def test_a_step_draws_its_dropout_as_if_torch_had_been_seeded():
    drawn = []
    for sow in (lambda: torch.manual_seed(7), lambda: sown(7, "cpu")):
        with torch.random.fork_rng(devices=[]):
            sow()
            drawn.append(torch.dropout(torch.ones(64), 0.5, True))
    assert torch.equal(*drawn) and 0 < int(drawn[0].count_nonzero()) < 64


# --------------------------------------------------------------------------- schedules


@pytest.mark.parametrize("schedule", PRUNING)
def test_strengths_rise_to_exactly_one(schedule):
    found = strengths(schedule, 7)
    assert len(found) == 7 and found[-1] == 1.0 and list(found) == sorted(found) and found[0] > 0


def test_the_cubic_schedule_is_that_of_the_paper():
    start, final, steps = 0.0, 1.0, 5
    paper = [final + (start - final) * (1 - t / steps) ** 3 for t in range(1, steps + 1)]
    assert strengths("cubic", 5) == pytest.approx(paper)


@pytest.mark.parametrize(("epochs", "rounds"), [(10, 4), (7, 7), (3, 2)])
def test_shares_lose_no_epoch(epochs, rounds):
    assert sum(shares(epochs, rounds)) == epochs and min(shares(epochs, rounds)) >= 1


def test_one_cycle_is_that_of_torch():
    parameter = nn.Parameter(torch.zeros(1))
    optimiser = SGD([parameter], lr=0.1)
    theirs, steps = OneCycleLR(optimiser, 0.1, total_steps=40, pct_start=0.25, cycle_momentum=False), []
    for _ in range(40):
        steps.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        theirs.step() if len(steps) < 40 else None
    assert [learning_rate("one_cycle", step, 40, 0.1) for step in range(40)] == pytest.approx(steps, rel=1e-6)


@pytest.mark.parametrize("schedule", LEARNING_RATES)
@pytest.mark.parametrize("steps", [1, 2, 3, 100])
def test_rates_stay_between_zero_and_the_highest(schedule, steps):
    rates = [learning_rate(schedule, step, steps, 0.3) for step in range(steps)]
    assert all(0 < rate <= 0.3 for rate in rates) and (
        max(rates) == pytest.approx(0.3, rel=0.02) or steps < 4
    )


# --------------------------------------------------------------------------- plans


@pytest.mark.parametrize("method", list(METHODS))
def test_a_suggested_plan_is_allowed_and_survives_json(method):
    for subject in (CNN, MLP, replace(CNN, card={})):
        plan = suggested(subject, method)
        assert RecoveryPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert suggested(CNN, method).augmentation == "shift" and suggested(CNN, method).batch_size == 64


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"method": "magic"}, "'method' of a recovery must be one of finetune"),
        ({"epochs": 0}, "'epochs' must be a whole number from 1"),
        ({"epochs": 2.5}, "'epochs' must be a whole number"),
        ({"learning_rate": 0.0}, "'learning_rate' must be above 0"),
        ({"learning_rate": float("nan")}, "'learning_rate' must be above 0"),
        ({"learning_rate": "fast"}, "got fast"),
        ({"distillation_weight": 1.5}, "must be from 0 to 1"),
        ({"seeds": []}, "'seeds' must list 1 to 10"),
        ({"seeds": [1, 1]}, "different whole numbers"),
        ({"method": "iterative", "rounds": 9, "epochs": 3}, "Each of 9 rounds needs an epoch"),
        ({"method": "distill"}, "needs a 'distillation_weight'"),
        ({"distillation_weight": 0.5}, "has no teacher"),
        ({"method": "regularise", "epochs": 5, "penalty_epochs": 5}, "must be below 'epochs'"),
        ({"optimizer": "sgd"}, "no key 'optimizer'. Its keys are method, epochs, optimiser"),
    ],
)
def test_what_a_plan_refuses_is_one_readable_sentence(given, told):
    with pytest.raises(RecipeError, match=told.replace("(", r"\(")):
        RecoveryPlan.from_json(given)


def test_a_plan_that_is_no_object_is_refused():
    with pytest.raises(RecipeError, match="must be a JSON object, got list"):
        RecoveryPlan.from_json([])


def test_rewound_weights_cost_a_training_more():
    plan = RecoveryPlan("rewind", epochs=6, rewind_epoch=4)
    assert plan.trained_epochs == 6 and replace(plan, rewind="weights").trained_epochs == 16
    assert suggested(CNN, "recalibrate").trained_epochs == 0


# --------------------------------------------------------------------------- losses and penalties


def test_the_distillation_loss_by_hand():
    logits, targets = torch.tensor([[0.0, 0.0]]), torch.tensor([1])
    taught = torch.tensor([[0.0, 2 * torch.log(torch.tensor(3.0))]])
    half = torch.log(torch.tensor(2.0))  # cross-entropy of an even guess
    teacher = torch.tensor([0.25, 0.75])  # at temperature 2
    divergence = float((teacher * (teacher / 0.5).log()).sum())
    own = cross_entropy(logits, targets)
    assert float(distillation_loss(logits, taught, own, 0.0, 2.0)) == pytest.approx(float(half))
    assert float(distillation_loss(logits, taught, own, 1.0, 2.0)) == pytest.approx(4 * divergence, rel=1e-5)
    mixed = 0.7 * float(half) + 0.3 * 4 * divergence
    assert float(distillation_loss(logits, taught, own, 0.3, 2.0)) == pytest.approx(mixed, rel=1e-5)
    pixels = (part[:, :, None, None].expand(1, 2, 3, 5) for part in (logits, taught))  # of a mask, all alike
    assert float(distillation_loss(*pixels, own, 0.3, 2.0)) == pytest.approx(mixed, rel=1e-5)
    with pytest.raises(ExplorerError, match="teaches the probabilities of classes"):
        distillation_loss((logits, taught), taught, own, 0.3, 2.0)


def test_a_student_that_answers_as_its_teacher_has_nothing_to_learn_from_it():
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    Objective(lambda inputs: logits.detach(), 1.0, 3.0)(
        logits, logits, torch.zeros(4, dtype=torch.long)
    ).backward()
    assert logits.grad is not None and float(logits.grad.abs().max()) < 1e-6


@pytest.mark.parametrize(
    ("penalty", "expected"),
    [
        ("l1", [[2.5, -3.5], [0.0, 0.0]]),
        ("l2", [[2.0, -4.0 / 1.5], [0.2, -0.3 / 1.5]]),
        ("group_lasso", [[3 * (1 - 0.5 * 2**0.5 / 5), -4 * (1 - 0.5 * 2**0.5 / 5)], [0.0, 0.0]]),
    ],
)
def test_a_proximal_step_by_hand(penalty, expected):
    weight = torch.tensor([[3.0, -4.0], [0.3, -0.3]])
    shrink(weight, penalty, 0.5)
    assert torch.allclose(weight, torch.tensor(expected), atol=1e-6)


def test_group_lasso_knows_where_outputs_lie():
    weight = torch.tensor([[3.0, 0.1], [4.0, 0.1]])
    shrink(weight, "group_lasso", 0.5, output_dim=1)
    assert not weight[:, 1].any() and weight[:, 0].all()


def test_sizes_are_counted_into_their_bins():
    model, layer = nn.Module(), replace(GRAPH.profile.prunable_layers["fc"], weight="w")
    model.w = nn.Parameter(torch.tensor([[0.0, 1e-9, 0.2, -0.2], [50.0, 1.0, 1.0, 1.0]]))
    counts = count_norms(model, [layer], "l1")

    def at(size):
        return max(i for i, edge in enumerate(EDGES) if edge <= size * 1.0001)

    assert sum(counts) == 8 and counts[0] == 2 and counts[at(0.2)] == 2 and counts[-1] == 1
    assert sum(count_norms(model, [layer], "group_lasso")) == 2


def test_a_penalty_makes_the_sizes_split(tmp_path):
    plan = suggested(CNN, "regularise", epochs=5, penalty_epochs=4)
    found = outcome(
        recover(Analysed(CNN, GRAPH), Recipe(weights={"conv2": 0.5}), plan, Conditions(100), root=tmp_path)
    )
    first, *_, last = (point.norms for point in found.epochs if point.norms)
    tiny = sum(edge < 1e-3 for edge in EDGES)
    assert sum(first) == sum(last) == 14_288 and sum(last[:tiny]) > 5 * sum(first[:tiny])


# --------------------------------------------------------------------------- bias correction


def test_after_bias_correction_every_mean_is_the_dense_models():
    masks = decide(
        Analysed(CNN, GRAPH), Recipe(channels={"conv1": 0.5, "conv3": 0.25}, weights={"conv2": 0.5})
    ).masks
    small, dense, split = (
        build(Analysed(CNN, GRAPH), masks),
        build(Analysed(CNN, GRAPH), DENSE),
        CNN.task.split("training"),
    )
    before = {name: p.clone() for name, p in small.named_parameters()}
    assert (
        correct_biases(small, dense, split, CNN.task.normalisation, kept_outputs(GRAPH.profile, masks)) == 4
    )
    changed = {name for name, p in small.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {"bn2.bias", "bn3.bias", "fc.bias"}  # nothing before bn1 lost an input
    inputs = CNN.task.normalisation(split.inputs)
    with torch.no_grad():
        assert torch.allclose(small(inputs).mean(0), dense(inputs).mean(0), atol=1e-4)
    wrong = build(Analysed(CNN, GRAPH), masks)
    with torch.no_grad():
        assert not torch.allclose(wrong(inputs).mean(0), dense(inputs).mean(0), atol=0.1)


def test_an_untouched_model_needs_no_correction():
    same, dense = build(Analysed(CNN, GRAPH), DENSE), build(Analysed(CNN, GRAPH), DENSE)
    correct_biases(same, dense, CNN.task.split("training"), CNN.task.normalisation, {})
    assert all(
        torch.allclose(p, q, atol=1e-6) for p, q in zip(same.parameters(), dense.parameters(), strict=True)
    )


def test_layers_that_run_twice_or_have_no_bias_stay():
    class Twice(nn.Module):
        def __init__(self, factor: float):
            super().__init__()
            self.twice, self.bare, self.last = nn.Linear(4, 4), nn.Linear(4, 4, bias=False), nn.Linear(4, 2)
            with torch.no_grad():
                for parameter in self.parameters():
                    parameter.fill_(factor)

        def forward(self, x):
            return self.last(self.bare(self.twice(self.twice(x))))

    model, split = Twice(0.5), Split(torch.ones(8, 4), torch.zeros(8, dtype=torch.long))
    assert correct_biases(model, Twice(0.25), split, Normalisation(), {}) == 1
    assert torch.equal(model.twice.bias, torch.full((4,), 0.5)) and not torch.equal(
        model.last.bias, torch.full((2,), 0.5)
    )


def test_a_recipe_may_ask_for_it_also_where_there_are_no_norms():
    graph, recipe = graph_of(MLP), Recipe(channels={"hidden1": 0.5}, after="bias_correction")
    found = prepare(Analysed(MLP, graph), recipe)
    assert found.notes == ("Biases of 3 layers corrected on training images.",)
    bare = replace(MLP, task=replace(MLP.task, load_split=lambda name: None))
    assert "Biases were not corrected" in prepare(Analysed(bare, graph), recipe).notes[0]
    assert Recipe.from_url(recipe.to_url()) == recipe


# --------------------------------------------------------------------------- controls, cost, place


def test_controls_have_the_budget_of_the_plan():
    recipe, plan = Recipe(weights={"fc": 0.5}), RecoveryPlan("iterative", epochs=6, seeds=(3, 4))
    dense, first, second, scratch = controls(recipe, plan)
    assert {c.plan.epochs for c in (dense, first, second, scratch)} == {6}
    assert dense.recipe.is_empty and dense.plan.method == "finetune" and scratch.plan.method == "scratch"
    assert [c.recipe.criterion for c in (first, second)] == [Choice("random")] * 2
    assert first.recipe.weights == recipe.weights and first.recipe.seed == 3 and first.plan.seeds == (3,)


def test_the_spread_is_a_t_interval():
    found = spread([0.5, 0.6])
    assert (found.mean, found.low, found.high) == pytest.approx((0.55, 0.0, 1.0), abs=0.1)
    assert spread([0.1, 0.2]).high == pytest.approx(0.15 + 12.706 * 0.05, abs=1e-3)
    assert spread([0.7]).low == spread([0.7]).high == 0.7
    with pytest.raises(ValueError, match="1 to 10"):
        spread([])


def test_the_cost_is_counted_and_timed():
    plan = RecoveryPlan(epochs=3, batch_size=64, seeds=(0, 1))
    assert counted(CNN, plan) == Cost(6, 6 * 14 * 64)
    cost = outcome(estimate(Analysed(CNN, GRAPH), Recipe(channels={"conv1": 0.5}), plan, Conditions(100)))
    assert cost.batches == 10 and 0.01 < cost.seconds < 300
    more = outcome(
        estimate(
            Analysed(CNN, GRAPH), Recipe(channels={"conv1": 0.5}), replace(plan, epochs=300), Conditions(100)
        )
    )
    assert more.seconds > 10 * cost.seconds


def test_a_loss_curve_has_about_two_hundred_points():
    assert [curve_width(steps) for steps in (1, 200, 201, 10_000)] == [1, 1, 2, 50]


def test_an_epoch_without_a_loss_is_never_the_best():
    place = TrainingPlace()
    assert not place.judged(float("nan")) and place.judged(1.0) and not place.judged(1.0) and place.stale == 1


# --------------------------------------------------------------------------- figures


def example(**changes) -> Recovery:
    drop = paired_drop(20, 0, 100)

    def arm(name: str, right: int) -> MeasuredArm:
        share = right / 100
        return MeasuredArm(name, Measurement(share, share - 0.1, min(1, share + 0.1), 0.5, 100, right), drop)

    points = [
        EpochPoint(0, "a<b", epoch, epoch > 0, arm("", 50 + epoch).measurement, drop, 0.5)
        for epoch in range(3)
    ]
    plan = RecoveryPlan(epochs=2)
    losses = (LossPoint(0.5, 2.0, 0.4, 0.1), LossPoint(1.5, 1.0, 0.6, 0.1))
    subject, dense = {"id": "x", "name": "m", "task": "t"}, arm("", 98).measurement
    known = Recovery(
        subject,
        "k",
        Recipe(),
        plan,
        dense,
        100,
        arm("one-shot", 20),
        arm("recalibrated", 60),
        (arm("fine-tuned, seed 0", 90),),
        losses,
        tuple(points),
        {"device": "cpu"},
    )
    return replace(known, **changes)


def test_figures_show_the_numbers_of_the_value():
    recovery = example()
    dense, line = recovery_accuracy(recovery).data
    assert (
        list(dense.y) == [98, 98]
        and list(line.y) == pytest.approx([50, 51, 52])
        and list(line.x) == [0, 1, 2]
    )
    assert line.marker.symbol == ("circle-open", "circle", "circle") and line.customdata[0][0] == "a&lt;b"
    training, tuning = recovery_loss(recovery).data
    assert list(training.y) == [2.0, 1.0] and list(tuning.x) == [0, 1, 2]
    (dots,) = recovery_arms(recovery).data
    assert list(dots.y) == ["dense", "one-shot", "recalibrated", "fine-tuned, seed 0"] and list(dots.x) == [
        98,
        20,
        60,
        90,
    ]
    assert list(dots.error_x.arrayminus) == pytest.approx([10] * 4)


def test_norms_are_a_column_an_epoch():
    counts = [0] * (len(EDGES) - 1)
    early, late = list(counts), list(counts)
    early[40], late[10], late[40] = 10, 5, 5
    points = [replace(example().epochs[0], epoch=i, norms=tuple(row)) for i, row in enumerate((early, late))]
    (heat,) = recovery_norms(example(epochs=tuple(points))).data
    assert list(heat.x) == [0, 1] and list(heat.z[40]) == [100, 50] and list(heat.z[10]) == [0, 50]


@pytest.mark.parametrize("draw", [recovery_accuracy, recovery_loss, recovery_arms, recovery_norms])
def test_no_recovery_draws_a_titled_empty_figure(draw):
    assert draw(None).layout.annotations[0].text == NOTHING and draw(None).layout.title.text
    assert draw(example(epochs=(), recovered=(), recalibrated=None)).layout.title.text


def test_values_survive_json_and_blown_up_losses_become_null():
    recovery = example()
    assert Recovery.from_json(json.loads(json.dumps(recovery.to_json()))) == recovery
    assert (
        finite(example(losses=(LossPoint(1, float("nan"), 0, 0.1),)).to_json())["losses"][0]["loss"] is None
    )
    assert chosen_epoch(recovery, 0, 0) == 2 and chosen_epoch(recovery, 0, 1) == 0


# --------------------------------------------------------------------------- the command


def command(*words: str) -> int:
    return main(["recover", "digits-cnn", "--device", "cpu", *words])


def test_the_command_writes_weights_and_a_report(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path / "cache"))
    target = tmp_path / "small.zip"
    words = [
        "--channels",
        "0.5",
        "--epochs",
        "2",
        "--samples",
        "100",
        "--seeds",
        "0,1",
        "-o",
        str(target),
        "--json",
    ]
    assert command(*words) == 0
    said = json.loads(capsys.readouterr().out)
    report = json.loads(target.with_suffix(".json").read_text())
    assert report == said and len(said["recovered"]) == 2 and said["plan"]["epochs"] == 2 and said["finished"]
    tensors = read_tensors(zipfile.ZipFile(target).read("model.safetensors"))
    plain = prepare(Analysed(CNN, GRAPH), Recipe.from_json(said["recipe"])).model.state_dict()
    assert {n: t.shape for n, t in tensors.items()} == {n: t.shape for n, t in plain.items()}
    assert not torch.equal(tensors["conv2.weight"], plain["conv2.weight"])
    saved = tmp_path / "plan.json"
    saved.write_text(json.dumps(said["plan"]))
    assert command("--channels", "0.5", "--plan", str(saved), "--samples", "100") == 0
    printed = capsys.readouterr().out
    assert "Mean over 2 seeds" in printed and "fine-tuned, seed 1" in printed and "one-shot" in printed


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Nothing is removed"),
        (("--channels", "0.5", "--epochs", "0"), "'epochs' must be a whole number from 1"),
        (("--channels", "0.5", "--seeds", "a"), "--seeds takes whole numbers"),
        (("--channels", "0.5", "--plan", "nowhere.json"), "cannot be read"),
        (("--channels", "0.5", "--method", "magic"), "invalid choice"),
        (("--channels", "0.5", "--optimiser", "lion"), "'optimiser' of a recovery must be one of adamw, sgd"),
    ],
)
def test_bad_input_is_one_sentence(words, told, capsys):
    assert command(*words) == 2
    said = capsys.readouterr().err.strip()
    assert told in said and "\n" not in said


def test_a_dry_run_only_says_the_cost(capsys):
    assert command("--channels", "0.5", "--epochs", "3", "--dry-run", "--samples", "100") == 0
    assert "3 epochs, 2,688 samples: about" in capsys.readouterr().out
