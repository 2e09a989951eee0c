"""The verbs on real digits: what is measured is the model that would be shipped, and the subject is never
touched.
"""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune
from zoo import odd

import explorer
from explorer.engine import candidate, conditions, dense_model, measure
from explorer.engine.candidate import prepare
from explorer.engine.conditions import Conditions
from explorer.engine.dense_model import baseline
from explorer.engine.measure import prune, stream
from explorer.errors import ExplorerError, UnknownNameError
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import ModelGraph, graph_of
from explorer.graph.nodes import layer_of
from explorer.graph.size_limits import Size
from explorer.loaders.model_text import load
from explorer.measuring.evaluation import evaluate
from explorer.planning.allocate import allocate
from explorer.planning.allocation import Allocation
from explorer.pruning.decision import decide
from explorer.pruning.masks import expand
from explorer.values.choice import Choice
from explorer.values.identity import subject_id, weights_id
from explorer.values.progress import values_of
from explorer.values.recipe import Recipe
from explorer.values.report import Report
from explorer.values.subject import Subject, Task

QUICK = Conditions(latency=False)
SUBJECTS = {name: load(name) for name in ("digits-mlp", "digits-cnn")}
WIDE = {"digits-mlp": "hidden1", "digits-cnn": "conv2"}


def loaded(name: str) -> tuple[Subject, ModelGraph]:
    return SUBJECTS[name], graph_of(SUBJECTS[name])


def plain_correct(model: nn.Module, task: Task, samples: int = 450) -> int:
    """The loop that everyone would write."""
    split, right = task.split("tuning"), 0
    with torch.no_grad():
        for start in range(0, samples, 100):
            stop = min(start + 100, samples)
            logits = model(task.normalisation(split.inputs[start:stop]))
            right += int((logits.argmax(1) == split.targets[start:stop]).sum())
    return right


@pytest.fixture(params=list(SUBJECTS))
def name(request) -> str:
    return request.param


# --------------------------------------------------------------------------- what is measured


def test_the_empty_recipe_is_the_baseline_and_a_plain_loop_agrees(name):
    subject, graph = loaded(name)
    report = prune(Analysed(subject, graph), Recipe(), QUICK)
    assert report.baseline == report.pruned
    assert (
        report.baseline.correct
        == plain_correct(subject.model, subject.task)
        == subject.card["tuning"]["correct"]
    )
    assert (report.drop.estimate, report.parts) == (0, ())
    assert (
        report.pruned.params
        == report.pruned.nonzero_params
        == sum(p.numel() for p in subject.model.parameters())
    )


@pytest.mark.parametrize("ratio", [0.3, 0.9])
def test_unstructured_pruning_is_that_of_torch(name, ratio):
    subject, graph = loaded(name)
    layers = list(graph.profile.prunable_layers)
    report = prune(Analysed(subject, graph), Recipe(weights=dict.fromkeys(layers, ratio)), QUICK)
    masked = copy.deepcopy(subject.model)
    for layer in layers:
        torch_prune.l1_unstructured(masked.get_submodule(layer), "weight", amount=ratio)
    assert report.pruned.correct == plain_correct(masked, subject.task)
    assert report.pruned.nonzero_params < report.pruned.params == report.baseline.params


def test_other_masks_count_differently():
    """The negative control of the agreement above: random masks at the same ratio."""
    subject, graph = loaded("digits-mlp")
    recipe = Recipe(weights=dict.fromkeys(graph.profile.prunable_layers, 0.9))
    by_size, by_chance = (
        prune(Analysed(subject, graph), replace(recipe, criterion=Choice(c)), QUICK) for c in ("l1", "random")
    )
    assert by_size.pruned.correct != by_chance.pruned.correct


@pytest.mark.parametrize("ratio", [0.25, 0.5, 0.9])
def test_structured_pruning_is_the_dense_model_masked_on_every_slot(name, ratio):
    subject, graph = loaded(name)
    recipe = allocate(Analysed(subject, graph), Recipe(), Allocation(Choice("uniform"), ratio))
    report = prune(Analysed(subject, graph), recipe, QUICK)
    masked = copy.deepcopy(subject.model)
    shapes = {key: tuple(tensor.shape) for key, tensor in masked.state_dict().items()}
    hidden = expand(decide(Analysed(subject, graph), recipe).masks, graph.profile, shapes)
    masked.load_state_dict({k: t * hidden[k] if k in hidden else t for k, t in masked.state_dict().items()})
    assert report.pruned.correct == plain_correct(masked, subject.task)
    assert report.pruned.params < report.baseline.params and report.pruned.macs < report.baseline.macs
    assert report.pruned.size_bytes["dense"] < report.baseline.size_bytes["dense"]


def test_channels_then_weights(name):
    subject, graph = loaded(name)
    part = WIDE[name]
    both = prune(Analysed(subject, graph), Recipe(channels={part: 0.5}, weights={part: 0.5}), QUICK)
    alone = prune(Analysed(subject, graph), Recipe(channels={part: 0.5}), QUICK)
    assert (
        both.pruned.params == alone.pruned.params and both.pruned.nonzero_params < alone.pruned.nonzero_params
    )


def test_baseline_and_pruned_saw_the_same_samples(name):
    subject, graph = loaded(name)
    report = prune(Analysed(subject, graph), Recipe(channels={WIDE[name]: 0.5}), replace(QUICK, samples=130))
    assert report.baseline.samples == report.pruned.samples == report.total_samples == 130
    assert report.baseline.correct == plain_correct(subject.model, subject.task, 130)
    assert report.drop.estimate == pytest.approx((report.baseline.correct - report.pruned.correct) / 130)


def test_the_subject_stays_bit_identical(name):
    subject, graph = loaded(name)
    before = {key: tensor.clone() for key, tensor in subject.model.state_dict().items()}
    recipe = Recipe(channels={WIDE[name]: 0.7}, weights={WIDE[name]: 0.5}, after="bn_recalibration")
    prune(Analysed(subject, graph), recipe, replace(QUICK, latency=True))
    after = subject.model.state_dict()
    assert list(before) == list(after) and all(torch.equal(before[key], after[key]) for key in before)
    assert (
        not any(module.training for module in subject.model.modules())
        and weights_id(subject.model) == subject.id
    )


def test_a_report_survives_json(name):
    report = prune(Analysed(*loaded(name)), Recipe(channels={WIDE[name]: 0.5}), QUICK)
    assert Report.from_json(report.to_json()) == report


# --------------------------------------------------------------------------- the stream


def test_the_stream_grows_and_ends_final():
    subject, graph = loaded("digits-cnn")
    looks = list(values_of(stream(Analysed(subject, graph), Recipe(channels={"conv2": 0.5}), QUICK)))
    assert [r.stage for r in looks] == ["live", "live", "live", "final"]
    assert [r.pruned.samples for r in looks] == [128, 256, 450, 450]
    assert [r.drop.level for r in looks] == pytest.approx([1 - 0.05 / 3, 1 - 0.05 / 3, 0.95, 0.95])
    assert looks[0].pruned.correct == plain_correct(
        prepare(Analysed(subject, graph), looks[0].recipe).model, subject.task, 128
    )
    assert "deflate" not in looks[2].pruned.size_bytes and "deflate" in looks[3].pruned.size_bytes
    assert {r.pruned.params for r in looks} == {looks[-1].pruned.params}


def test_a_smaller_first_look_comes_sooner_and_ends_in_the_same_counts():
    subject, graph = loaded("digits-mlp")
    model, recipe = Analysed(subject, graph), Recipe(channels={"hidden1": 0.5})
    usual, soon = (list(values_of(stream(model, recipe, replace(QUICK, first_look=n)))) for n in (None, 32))
    assert (
        [r.pruned.samples for r in soon] == [r.baseline.samples for r in soon] == [32, 64, 128, 256, 450, 450]
    )
    assert soon[0].drop.level == pytest.approx(1 - 0.05 / 5)  # more looks are paid for
    assert soon[-1].pruned.correct == usual[-1].pruned.correct
    assert soon[-1].drop == usual[-1].drop and soon[-1].baseline.loss == usual[-1].baseline.loss
    assert conditions.first_look(subject, "cpu", 4) == conditions.first_look(subject, "cpu") // 4
    assert conditions.first_look(subject, "cpu", 1000) == conditions.LEAST_LOOK


def test_between_two_looks_there_are_places_to_stop_at():
    """2,000 samples are looked at four times, and run in eight batches."""
    subject, graph = loaded("digits-cnn")
    split = subject.task.split("tuning")
    many = replace(split, inputs=split.inputs.repeat(5, 1, 1, 1), targets=split.targets.repeat(5))
    task = replace(subject.task, load_split=lambda name: many, fingerprint="five times")
    model, recipe = Analysed(replace(subject, task=task), graph), Recipe(channels={"conv2": 0.5})
    steps = list(stream(model, recipe, replace(QUICK, samples=2000)))
    reports = list(values_of(steps))
    assert [r.pruned.samples for r in reports if r.stage == "live"] == [128, 256, 512, 1024, 2000]
    assert reports[-1].pruned.samples == 2000 and len(steps) > 8
    assert len({id(report) for report in reports}) == len(reports), "no report comes twice"


def test_latency_comes_last():
    subject, graph = loaded("digits-mlp")
    model, recipe = Analysed(subject, graph), Recipe(channels={"hidden1": 0.5})
    reports = list(values_of(stream(model, recipe, replace(QUICK, latency=True, samples=64))))
    measured = [r.pruned.latency_ms is not None for r in reports]
    assert measured == sorted(measured) and measured[-1] and not measured[1]
    assert (
        set(reports[-1].pruned.latency_ms) == {"median", "p10", "p90", "batch"}
        and reports[-1].speed_up["low"] > 0
    )


def test_latency_is_known_by_widths_and_zeros_alone_are_the_dense_model(monkeypatch):
    subject, graph = loaded("digits-mlp")
    quick = replace(QUICK, latency=True, samples=32)
    first = prune(Analysed(subject, graph), Recipe(channels={"hidden2": 0.5}), quick)
    prune(Analysed(subject, graph), Recipe(), quick)
    monkeypatch.setattr(measure, "rounds", lambda *args, **kwargs: pytest.fail("was measured again"))
    again = prune(
        Analysed(subject, graph), Recipe(channels={"hidden2": 0.5}, weights={"hidden1": 0.5}), quick
    )
    assert again.pruned.latency_ms == first.pruned.latency_ms and again.speed_up == first.speed_up
    zeros = prune(Analysed(subject, graph), Recipe(weights={"hidden1": 0.5}), quick)
    assert zeros.pruned.latency_ms == zeros.baseline.latency_ms and zeros.speed_up is None
    assert any("zeros alone" in note for note in zeros.notes) and not any(
        "zeros alone" in note for note in again.notes
    )


def test_the_dense_model_is_evaluated_once(monkeypatch):
    subject, graph = loaded("digits-cnn")
    dense = list(baseline(Analysed(subject, graph), QUICK, 450))[-1]
    seen = []

    def counted(model, *args, **kwargs):
        return seen.append(model) or evaluate(model, *args, **kwargs)

    monkeypatch.setattr(measure, "evaluate", counted)
    assert torch.equal(list(baseline(Analysed(subject, graph), QUICK, 200))[-1].correct, dense.correct[:200])
    monkeypatch.setattr(dense_model, "prepare", lambda *args: pytest.fail("the dense model was built again"))
    assert len(list(baseline(Analysed(subject, graph), QUICK, 450))[-1]) == 450


def test_sizes_are_those_of_the_model_even_after_the_dense_one(name):
    """The deflated size of the dense model is kept; it must not turn up for another recipe."""
    subject, graph = loaded(name)
    sizes = []
    for ratio in (0, 0.5, 0, 0.25, 0.75, 0):
        recipe = Recipe(channels={WIDE[name]: ratio})
        sizes.append(
            prune(Analysed(subject, graph), recipe, replace(QUICK, samples=10)).pruned.size_bytes["deflate"]
        )
    assert sizes[0] == sizes[2] == sizes[5] > sizes[3] > sizes[1] > sizes[4]


@pytest.mark.parametrize(
    ("size", "batch", "first"),
    [
        (Size(1, 40 * 10**6, 1, 10**5), 128, 128),
        (Size(1, 180 * 10**6, 1, 10**5), 111, 33),  # a number sooner than the batch
        (Size(1, 4 * 10**9, 1, 10**5), 5, 16),  # somebody may wait for the end of a batch
        (Size(1, 10**6, 1, 2**30), 1, 16),  # the memory holds no more
        (Size(1), 128, 128),
    ],
)
def test_batches_are_small_where_a_model_is_large(size, batch, first, monkeypatch):
    monkeypatch.setattr(conditions, "size_of", lambda model, example: size)
    subject = SUBJECTS["digits-mlp"]
    assert (conditions.fitting_batch(subject, "cpu"), conditions.first_look(subject, "cpu")) == (batch, first)
    assert batch <= conditions.fitting_batch(subject, "cuda") <= 1024


# --------------------------------------------------------------------------- what is refused, and what is
# missing


@pytest.mark.parametrize(
    ("conditions", "error"),
    [
        (Conditions(split="nope"), UnknownNameError),
        (Conditions(samples=0), ExplorerError),
        (Conditions(samples=-3), ExplorerError),
    ],
)
def test_conditions_that_cannot_be_met_are_refused(conditions, error):
    with pytest.raises(error) as caught:
        prune(Analysed(*loaded("digits-mlp")), Recipe(), conditions)
    assert "\n" not in str(caught.value)


def test_a_split_that_does_not_exist_says_what_to_use():
    subject, graph = loaded("digits-mlp")
    task = replace(subject.task, load_split=lambda name: None, fingerprint="nothing")
    with pytest.raises(ExplorerError, match="no held-out split; use tuning"):
        prune(Analysed(replace(subject, task=task), graph), Recipe(), replace(QUICK, split="held_out"))


def test_more_samples_than_there_are_is_all():
    assert (
        prune(Analysed(*loaded("digits-mlp")), Recipe(), replace(QUICK, samples=10**6)).pruned.samples == 450
    )


FOREIGN = [Recipe(channels={"conv9": 0.5}), Recipe(criterion=Choice("l9")), Recipe(weights={"bn1": 0.5})]


@pytest.mark.parametrize("recipe", FOREIGN)
def test_recipes_of_other_models_are_refused(recipe):
    with pytest.raises(UnknownNameError, match="Available"):
        explorer.prune(Analysed(*loaded("digits-cnn")), recipe, QUICK)


def test_without_data_everything_but_accuracy_is_measured():
    subject = odd("chain")
    report = prune(analyse(subject), Recipe(channels={"conv1": 0.5}), QUICK)
    assert report.stage == "final" and any("No data" in note for note in report.notes)
    assert report.drop.metric == "same_answer"
    assert (report.pruned.accuracy, report.pruned.correct, report.pruned.samples) == (None, None, 128)
    assert report.pruned.params < report.baseline.params and report.pruned.size_bytes["deflate"] > 0


def test_without_a_graph_weights_can_still_be_pruned():
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden, self.output = nn.Linear(64, 20), nn.Linear(20, 10)

        def forward(self, x):
            x = self.hidden(x.flatten(1))
            return self.output(x.relu() if float(x.sum()) > 0 else x)

    model, task = Branching().eval(), SUBJECTS["digits-mlp"].task
    subject = Subject(subject_id(model), "branching", model, task, task.example(2))
    report = prune(analyse(subject), Recipe(weights={"hidden": 0.5}), QUICK)
    assert report.pruned.nonzero_params == report.baseline.params - 640 and report.pruned.samples == 450


# --------------------------------------------------------------------------- decisions and repairs


def test_allocate_respects_locked_parts():
    subject, graph = loaded("digits-cnn")
    recipe = Recipe(channels={"conv1": 0.1, "conv2": 0.2})
    planned = allocate(
        Analysed(subject, graph), recipe, Allocation(Choice("uniform"), 0.5, locked=frozenset({"conv1"}))
    )
    assert planned.channels == {"conv1": 0.1, "conv2": 0.5, "conv3": 0.5}
    everywhere = allocate(
        Analysed(subject, graph),
        planned,
        Allocation(Choice("global_threshold"), 0.5, locked=frozenset({"conv1", "conv2"})),
    )
    assert everywhere.channels["conv1"] == 0.1 and everywhere.channels["conv2"] == 0.5
    weights = allocate(
        Analysed(subject, graph), recipe, Allocation(Choice("uniform"), 0.5, "weight", frozenset({"fc"}))
    )
    assert "fc" not in weights.weights and weights.channels == recipe.channels


def test_a_part_of_which_all_but_one_goes_is_a_valid_ratio():
    """It is below 1 however large the layer is."""
    assert Recipe(weights={"fc": 99_999 / 100_000}).weights["fc"] == 0.99999
    assert Recipe(weights={"fc": 1 - 1e-12}).weights["fc"] < 1


def test_recalibration_changes_norm_statistics_only():
    subject, graph = loaded("digits-cnn")
    recipe = Recipe(channels={"conv2": 0.5})
    plain, repaired = (
        prepare(Analysed(subject, graph), recipe),
        prepare(Analysed(subject, graph), replace(recipe, after="bn_recalibration")),
    )
    before, after = plain.model.state_dict(), repaired.model.state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed == {
        f"bn{i}.{leaf}" for i in (1, 2, 3) for leaf in ("running_mean", "running_var", "num_batches_tracked")
    }
    assert repaired.notes == ("3 norms recalibrated on training images.",) and plain.notes == ()


def test_recalibration_says_when_there_is_nothing_to_do():
    subject, graph = loaded("digits-mlp")
    assert (
        "no batch norms"
        in prepare(
            Analysed(subject, graph), Recipe(channels={"hidden1": 0.5}, after="bn_recalibration")
        ).notes[0]
    )
    bare = odd("chain")
    assert (
        "no training data"
        in prepare(analyse(bare), Recipe(channels={"conv1": 0.5}, after="bn_recalibration")).notes[0]
    )


def test_each_weight_is_asked_once_for_its_layer(monkeypatch):
    """Not once for each layer: of a model with 500 layers that took two thirds of a move."""
    asked = []
    monkeypatch.setattr(candidate, "layer_of", lambda name: asked.append(name) or layer_of(name))
    model = analyse(load("digits-cnn"))
    layers = prepare(model, Recipe(channels={next(iter(model.profile.free_groups)): 0.5})).layers
    assert sorted(asked) == sorted(set(asked)) and len(asked) >= len(layers) > 2
    assert sum(layer.pruned_params for layer in layers) < sum(layer.params for layer in layers)
