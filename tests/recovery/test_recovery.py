"""Recovery on real digits: masks hold exactly, what was cut off goes on to the same result, and the subject
is never touched.
"""

import itertools
import json
from dataclasses import replace

import pytest
import torch
from zoo import odd

import explorer
from explorer.engine.candidate import prepare
from explorer.engine.conditions import Conditions
from explorer.errors import ExplorerError, RecipeError
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.machine import paths
from explorer.measuring.evaluation import evaluate
from explorer.planning.allocate import allocate
from explorer.planning.allocation import Allocation
from explorer.pruning.decision import decide
from explorer.recovery import recovery_run as running
from explorer.recovery.checkpoints import CHECKPOINT, Folder, masks_of
from explorer.recovery.finetuning import Course, Training
from explorer.recovery.gradual import gradual
from explorer.recovery.iterative import iterated
from explorer.recovery.phases import Known, Setting
from explorer.recovery.recover import recover, recovered_model
from explorer.recovery.students import fresh, full_state, make_student, with_state
from explorer.recovery.training_plan import METHODS, RecoveryPlan, suggested
from explorer.recovery.values import Recovery
from explorer.values.choice import Choice
from explorer.values.identity import weights_id
from explorer.values.profile import Masks
from explorer.values.progress import Step, outcome, values_of
from explorer.values.recipe import Recipe

SUBJECTS = {name: load(name) for name in ("digits-mlp", "digits-cnn")}
CNN = SUBJECTS["digits-cnn"]
GRAPH = graph_of(CNN)
FEW = Conditions(samples=100, latency=False)
CHANNELS = Recipe(channels={"conv1": 0.5, "conv2": 0.25})
WEIGHTS = Recipe(weights=dict.fromkeys(GRAPH.profile.prunable_layers, 0.8))
BOTH = replace(CHANNELS, weights={"conv2": 0.5, "fc": 0.3})
SHORT = RecoveryPlan(epochs=2, batch_size=128, augmentation="shift")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def ended(recipe: Recipe, plan: RecoveryPlan, root, subject=CNN, conditions=FEW) -> Recovery:
    return outcome(recover(analyse(subject), recipe, plan, conditions, root=root))


def trains(step: Step) -> bool:
    return step.progress is not None and step.progress.label == running.TRAINING


def counts(masks: Masks) -> dict[str, dict[str, int]]:
    """How many units each part keeps."""
    every = {"channels": masks.channels, "weights": masks.weights}
    return {kind: {name: int(mask.sum()) for name, mask in own.items()} for kind, own in every.items()}


def steps(recipe: Recipe, plan: RecoveryPlan, student=None, course: Course | None = None) -> Training:
    student = student or Setting(Analysed(CNN, GRAPH), recipe, plan, FEW).student()
    return Training(student, CNN.task, plan, course or Course("constant", 0, 1), (0, 0))


# --------------------------------------------------------------------------- masks hold


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
@pytest.mark.parametrize("recipe", [WEIGHTS, BOTH], ids=["weights", "both"])
def test_masks_hold_exactly_after_every_step(recipe, optimiser):
    training = steps(recipe, replace(SHORT, optimiser=optimiser, weight_decay=0.1, learning_rate=0.05))
    model, held = training.student.model, training.student.held
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for index in range(5):
        training.step(0, index)
        assert all(bool((model.get_parameter(name)[~kept] == 0).all()) for name, kept in held.items())
    assert held and all(bool((~kept).any()) for kept in held.values())
    changed = [
        name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])
    ]
    assert changed == list(before)
    state = training.optimiser.state_dict()["state"]
    if optimiser == "sgd":
        names = [n for n, _ in sorted(model.named_parameters(), key=lambda item: item[1].dim() <= 1)]
        moved = {name: state[i]["momentum_buffer"] for i, name in enumerate(names)}
        assert all(bool((moved[name][~kept] == 0).all()) for name, kept in held.items() if recipe is WEIGHTS)


def test_without_being_held_they_would_move():
    training = steps(WEIGHTS, replace(SHORT, learning_rate=0.05))
    training.student.held.clear()
    masks = decide(Analysed(CNN, GRAPH), WEIGHTS).masks.weights
    training.step(0, 0)
    assert all(
        bool((training.student.model.get_parameter(f"{n}.weight")[~mask] != 0).any())
        for n, mask in masks.items()
    )


def test_a_kept_weight_that_happens_to_be_zero_is_still_trained():
    state = {**CNN.model.state_dict()}
    state["conv1.weight"] = torch.zeros_like(state["conv1.weight"])
    masks = Masks({}, {"conv1": torch.arange(144).view(16, 1, 3, 3) % 2 == 0})
    student = make_student(Analysed(with_state(CNN, state), GRAPH), masks)
    assert torch.equal(student.held["conv1.weight"], masks.weights["conv1"])


def test_the_compact_model_is_what_is_trained_and_norms_learn_their_statistics():
    training = steps(CHANNELS, SHORT)
    model = training.student.model
    assert tuple(model.conv1.weight.shape) == (8, 1, 3, 3) and not training.student.held
    before = model.bn1.running_mean.clone()
    training.step(0, 0)
    assert not torch.equal(before, model.bn1.running_mean) and not model.training


# --------------------------------------------------------------------------- the way back


@pytest.mark.parametrize("recipe", [CHANNELS, WEIGHTS, BOTH], ids=["channels", "weights", "both"])
def test_the_state_in_dense_shapes_builds_the_same_student_again(recipe):
    training = steps(recipe, SHORT)
    training.step(0, 0)
    student = training.student
    state = full_state(student, CNN, GRAPH.profile)
    assert {n: t.shape for n, t in state.items()} == {n: t.shape for n, t in CNN.model.state_dict().items()}
    again = make_student(Analysed(with_state(CNN, state), GRAPH), student.masks)
    assert all(
        torch.equal(t, again.model.state_dict()[name]) for name, t in student.model.state_dict().items()
    )


def test_removed_channels_are_zero_in_dense_shapes():
    student = Setting(Analysed(CNN, GRAPH), CHANNELS, SHORT, FEW).student()
    gone = ~student.masks.channels["conv1"]
    state = full_state(student, CNN, GRAPH.profile)
    assert not state["conv1.weight"][gone].any() and not state["conv2.weight"][:, gone].any()
    assert not state["bn1.weight"][gone].any() and state["bn1.weight"][~gone].all()
    assert torch.equal(state["bn1.running_var"], CNN.model.bn1.running_var)


def test_fresh_weights_are_those_of_the_seed_and_leave_the_random_state_alone():
    models = [make_student(Analysed(CNN, GRAPH), Masks({}, {})).model for _ in range(3)]
    before = torch.random.get_rng_state()
    for model, seed in zip(models, (1, 1, 2), strict=True):
        fresh(model, seed)
    assert torch.equal(before, torch.random.get_rng_state())
    first, same, other = (model.conv2.weight for model in models)
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert float(models[0].bn1.running_mean.abs().sum()) == 0
    assert (
        abs(float(first.detach().std()) - (1 / 3 / (16 * 9)) ** 0.5) < 0.01
    )  # uniform within 1 / sqrt(fan in), as in torch


# --------------------------------------------------------------------------- every method


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_keeps_the_recipes_counts_and_leaves_the_subject_alone(method, tmp_path):
    extra = {"rewind": "weights", "rewind_epoch": 1} if method == "rewind" else {}
    plan = suggested(
        CNN, method, **{"epochs": 2, "batch_size": 128, "rounds": 2, "penalty_epochs": 1} | extra
    )
    before = weights_id(CNN.model)
    recovery = ended(BOTH, plan, tmp_path)
    model = recovered_model(Analysed(CNN, GRAPH), recovery.key, root=tmp_path)
    tensors, _ = Folder(recovery.key, tmp_path).read("result.safetensors")
    assert counts(masks_of(tensors)) == counts(decide(Analysed(CNN, GRAPH), BOTH).masks)
    static, after = prepare(Analysed(CNN, GRAPH), BOTH).static, recovery.recovered[0].measurement
    assert (
        recovery.one_shot.measurement.params == after.params == static.params
        and after.nonzero_params <= static.nonzero_params
    )
    *_, tally = evaluate(model, CNN.task.split("tuning"), CNN.task.normalisation, [100])
    assert tally.measurement().correct == recovery.recovered[0].measurement.correct
    assert weights_id(CNN.model) == before == CNN.id
    assert Recovery.from_json(json.loads(json.dumps(recovery.to_json()))) == recovery
    assert recovery.finished and len(recovery.epochs) >= plan.epochs * (method != "recalibrate")


def test_baseline_and_every_arm_saw_the_same_samples(tmp_path):
    found = ended(CHANNELS, SHORT, tmp_path)
    assert {found.baseline.samples, *(arm.measurement.samples for arm in found.arms)} == {100}
    flips = found.one_shot.drop.estimate * 100
    assert flips == pytest.approx(found.baseline.correct - found.one_shot.measurement.correct)


def test_training_wins_accuracy_back(tmp_path):
    recipe = allocate(Analysed(CNN, GRAPH), Recipe(), Allocation(Choice("global_threshold"), 0.8, "weight"))
    found = ended(recipe, suggested(CNN, epochs=4), tmp_path, conditions=Conditions())
    assert found.one_shot.measurement.accuracy < 0.6
    assert found.recovered[0].measurement.accuracy > found.one_shot.measurement.accuracy + 0.2
    assert found.losses[-1].loss < found.losses[0].loss


def test_a_model_without_a_graph_is_trained_in_its_own_shapes(tmp_path):
    mlp = SUBJECTS["digits-mlp"]
    bare = replace(graph_of(mlp), program=None, coupling=None)
    plan, recipe = replace(SHORT, augmentation="none"), Recipe(weights={"hidden1": 0.5})
    found = outcome(recover(Analysed(mlp, bare), recipe, plan, FEW, root=tmp_path))
    weight = recovered_model(Analysed(mlp, bare), found.key, root=tmp_path).get_parameter("hidden1.weight")
    assert int((weight == 0).sum()) == weight.numel() // 2 and found.recalibrated is None


# --------------------------------------------------------------------------- iterative


def test_rounds_nest_and_the_last_has_the_counts_of_the_recipe():
    plan = RecoveryPlan("iterative", epochs=3, rounds=3, round_schedule="linear", batch_size=128)
    setting = Setting(Analysed(CNN, GRAPH), BOTH, plan, FEW)
    known, rounds = Known(CNN.model.state_dict()), []
    for phase in iterated(setting, 0):
        student = phase.begin(known)
        Training(student, CNN.task, plan, phase.course, (0, len(rounds))).step(0, 0)
        known = Known(full_state(student, CNN, GRAPH.profile), student)
        rounds.append(student.masks)
    for fewer, more in itertools.pairwise(rounds):
        assert all(bool((mask | ~more.weights[name]).all()) for name, mask in fewer.weights.items())
        assert all(bool((mask | ~more.channels[name]).all()) for name, mask in fewer.channels.items())
    assert [int((~masks.channels["conv1"]).sum()) for masks in rounds] == [3, 5, 8]
    assert counts(rounds[-1]) == counts(decide(Analysed(CNN, GRAPH), BOTH).masks) != counts(rounds[0])


def test_a_round_rates_the_trained_weights():
    plan = RecoveryPlan("iterative", epochs=2, rounds=2, round_schedule="linear")
    setting = Setting(Analysed(CNN, GRAPH), Recipe(channels={"conv1": 0.5}), plan, FEW)
    first, second = iterated(setting, 0)
    student = first.begin(Known(CNN.model.state_dict()))
    state = full_state(student, CNN, GRAPH.profile)
    kept = int(student.masks.channels["conv1"].nonzero()[0])
    state["conv1.weight"][kept] = 1e-6  # training has made this channel worthless
    chosen = second.begin(Known(state, student)).masks.channels["conv1"]
    assert not chosen[kept]
    unmoved = second.begin(Known(full_state(student, CNN, GRAPH.profile), student)).masks.channels["conv1"]
    assert not torch.equal(chosen, unmoved)


def test_pruning_while_training_begins_whole_and_anew_and_ends_with_the_counts_of_the_recipe():
    plan = RecoveryPlan("gradual", epochs=7, rounds=3, round_schedule="linear", batch_size=128)
    phases, known, rounds = (
        gradual(Setting(Analysed(CNN, GRAPH), CHANNELS, plan, FEW), 0),
        Known(CNN.model.state_dict()),
        [],
    )
    for phase in phases:
        student = phase.begin(known)
        known = Known(full_state(student, CNN, GRAPH.profile), student)
        rounds.append(student)
    assert [(phase.pruned, phase.epochs, phase.course.first_epoch) for phase in phases] == [
        (False, 2, 0),
        (True, 2, 2),
        (True, 3, 4),
    ]
    assert {phase.course.total_epochs for phase in phases} == {7}
    assert not torch.equal(
        rounds[0].model.get_parameter("conv1.weight"), CNN.model.get_parameter("conv1.weight")
    )
    assert [int((~student.masks.channels["conv1"]).sum()) for student in rounds[1:]] == [4, 8]
    once = gradual(
        Setting(Analysed(CNN, GRAPH), CHANNELS, replace(plan, rounds=2, round_schedule="one_shot"), FEW), 0
    )
    assert [(phase.pruned, phase.epochs) for phase in once] == [(False, 3), (True, 4)]


# --------------------------------------------------------------------------- going on


TWO_SEEDS, STOPPING = replace(SHORT, seeds=(0, 1)), replace(SHORT, optimiser="sgd", epochs=3, patience=1)
ROUNDS = RecoveryPlan("iterative", epochs=3, rounds=2, batch_size=128)
REWOUND = RecoveryPlan(
    "rewind", rewind="weights", epochs=1, rewind_epoch=1, batch_size=128, learning_rate=0.01
)


@pytest.mark.parametrize(  # an epoch has 7 batches
    ("plan", "after"), [(TWO_SEEDS, 17), (STOPPING, 9), (ROUNDS, 7), (REWOUND, 17)]
)
def test_a_training_that_was_stopped_goes_on_to_the_same_result(plan, after, tmp_path):
    whole = ended(BOTH, plan, tmp_path / "whole")
    cut = recover(Analysed(CNN, GRAPH), BOTH, plan, FEW, root=tmp_path / "cut")
    batches = 0
    while batches < after:
        step = next(cut)
        batches += trains(step)
        assert step.value is None or not step.value.finished
    cut.close()
    trained = sum(map(trains, recover(Analysed(CNN, GRAPH), BOTH, plan, FEW, root=tmp_path / "cut")))
    found = ended(BOTH, plan, tmp_path / "cut")
    assert found == whole
    assert 0 < trained <= 7 * plan.trained_epochs * len(plan.seeds) - batches + 1
    first, second = (
        recovered_model(Analysed(CNN, GRAPH), found.key, root=tmp_path / name).state_dict()
        for name in ("whole", "cut")
    )
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_a_program_that_was_killed_goes_on_from_its_last_checkpoint(tmp_path, monkeypatch):
    plan = replace(SHORT, epochs=3)
    whole = ended(BOTH, plan, tmp_path / "whole")
    killed = recover(Analysed(CNN, GRAPH), BOTH, plan, FEW, root=tmp_path / "killed")
    next(known for known in values_of(killed) if len(known.epochs) == 3)
    next(killed)
    monkeypatch.setattr(
        running.RecoveryRun, "_save", lambda *args: None
    )  # a killed program does not clean up
    killed.close()
    monkeypatch.undo()
    assert (tmp_path / "killed" / whole.key / CHECKPOINT).is_file()
    assert ended(BOTH, plan, tmp_path / "killed") == whole


def test_what_is_finished_is_not_trained_again(tmp_path):
    found = ended(CHANNELS, SHORT, tmp_path)
    again = list(recover(Analysed(CNN, GRAPH), CHANNELS, SHORT, FEW, root=tmp_path))
    assert again[-1].value == found
    assert not any(map(trains, again))


def test_a_damaged_checkpoint_is_not_trusted(tmp_path):
    found = ended(CHANNELS, SHORT, tmp_path)
    (tmp_path / found.key / CHECKPOINT).write_bytes(b"no safetensors")
    assert ended(CHANNELS, SHORT, tmp_path) == found


def test_other_seeds_and_plans_have_other_folders_and_results(tmp_path):
    first, second = ended(CHANNELS, SHORT, tmp_path), ended(CHANNELS, replace(SHORT, seeds=(1,)), tmp_path)
    assert first.key != second.key and first.losses != second.losses


def test_the_default_folder_is_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path))
    found = ended(CHANNELS, suggested(CNN, "recalibrate"), None)
    assert (tmp_path / "recoveries" / found.key / "result.safetensors").is_file()


# --------------------------------------------------------------------------- early stop, errors


def test_patience_keeps_the_best_epoch_and_stops(tmp_path):
    plan = replace(
        SHORT, epochs=6, learning_rate=2.0, patience=1, optimiser="sgd"
    )  # so high that it only does harm
    found = ended(Recipe(weights={"fc": 0.1}), plan, tmp_path)
    assert len(found.epochs) == 2
    assert found.recovered[0].measurement == found.epochs[0].measurement


def test_without_training_data_there_is_one_sentence(tmp_path):
    nothing = replace(
        CNN,
        task=replace(CNN.task, load_split=lambda name: None if name == "training" else CNN.task.split(name)),
    )
    with pytest.raises(ExplorerError, match=r"needs training data.*--data"):
        ended(CHANNELS, SHORT, tmp_path, subject=nothing)
    with pytest.raises(ExplorerError, match="needs training data"):
        ended(Recipe(), SHORT, tmp_path, subject=odd("chain"))


def test_a_model_without_norms_cannot_be_recalibrated(tmp_path):
    with pytest.raises(ExplorerError, match="no batch norms"):
        ended(
            Recipe(weights={"hidden1": 0.5}),
            suggested(CNN, "recalibrate"),
            tmp_path,
            subject=SUBJECTS["digits-mlp"],
        )


def test_a_batch_larger_than_the_data_is_refused(tmp_path):
    with pytest.raises(ExplorerError, match="at least one batch"):
        ended(CHANNELS, replace(SHORT, batch_size=4096), tmp_path)


def test_lost_weights_are_told():
    with pytest.raises(ExplorerError, match="no longer in the cache"):
        recovered_model(Analysed(CNN, GRAPH), "0" * 24)


def test_a_foreign_recipe_is_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(ExplorerError, match="nowhere"):
        explorer.recover(Analysed(CNN, GRAPH), Recipe(channels={"nowhere": 0.5}), SHORT, FEW, root=tmp_path)
    with pytest.raises(RecipeError):
        RecoveryPlan("no_such_method")
