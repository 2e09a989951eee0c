"""Whole models repaired: samples, layers against numpy, every odd model, no labels and no training."""

import numpy
import pytest
import torch
from torch import nn
from zoo import ZOO, odd

from explorer.compaction.compact import compact
from explorer.engine.candidate import prepare
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.graph.analysed import Analysed, analyse
from explorer.loaders.model_text import load
from explorer.pruning.decision import decide
from explorer.repair.columns import columns, output_rows
from explorer.repair.contractions import contractions
from explorer.repair.dense_targets import DenseTargets
from explorer.repair.least_squares import LeastSquares, Repaired, repair_notes
from explorer.repair.lockstep import Lockstep
from explorer.values.identity import subject_id
from explorer.values.profile import Masks
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject

QUICK = Conditions(latency=False)


def halved(model: Analysed, ratio: float = 0.5) -> Recipe:
    return Recipe(channels=dict.fromkeys(model.profile.free_groups, ratio), after="least_squares")


def repaired(model: Analysed, masks: Masks, batches) -> LeastSquares:
    work = LeastSquares(model, masks, compact(model, masks), compact(model, Masks({}, {})), batches)
    list(work.run())
    return work


def batches_for(model: Analysed, count: int = 6, size: int = 16):
    generator = torch.Generator().manual_seed(3)
    shape = model.subject.example.shape[1:]
    return [torch.randn(size, *shape, generator=generator) for _ in range(count)]


def missing(model: Analysed, masks: Masks, small, batches, node: str):
    """What a node lacks of the dense one, (rows, out), and what it reads."""
    walk = Lockstep(small, batches)
    targets = DenseTargets(model, masks, small, compact(model, Masks({}, {})), batches)
    one = next(found for found in contractions(small) if found.node == node)
    walk.before(one.node)
    read = torch.cat([columns(one.form, held[one.source]) for held in walk.values], 1)
    wanted = targets.of(one.node)
    left = [want - now for want, now in zip(wanted, walk.tried(one.node), strict=True)]
    return torch.cat([output_rows(one.form, part) for part in left], 1), read


# --------------------------------------------------------------------------- on samples


@pytest.mark.parametrize("ratio, one_shot, least", [(0.25, 0.35, 0.96), (0.5, 0.20, 0.93), (0.7, 0.12, 0.79)])
def test_a_sample_that_was_at_chance_is_back_without_training(ratio, one_shot, least):
    model = analyse(load("digits-cnn"))
    recipe = halved(model, ratio)
    assert prune(model, Recipe(recipe.channels), QUICK).pruned.accuracy < one_shot
    report = prune(model, recipe, QUICK)
    assert report.pruned.accuracy > least
    assert "3 layers fitted by least squares on 897 training samples; 3 norms" in report.notes[0]


@pytest.mark.parametrize("pattern, least", [("free", 0.97), ("2:4", 0.96)])
def test_single_weights_that_are_left_make_up_for_those_that_went(pattern, least):
    model = analyse(load("digits-cnn"))
    weights = dict.fromkeys(model.profile.prunable_layers, 0.5)
    recipe = Recipe(weights=weights, pattern=pattern, after="least_squares")
    plain = prepare(model, Recipe(weights=weights, pattern=pattern)).model
    report, small = prune(model, recipe, QUICK), prepare(model, recipe).model
    assert report.pruned.accuracy > least
    for name, tensor in plain.named_parameters():
        if name.endswith("weight") and tensor.dim() > 1:
            assert bool((small.get_parameter(name)[tensor == 0] == 0).all())


def test_channels_and_single_weights_together():
    model = analyse(load("digits-cnn"))
    recipe = Recipe(channels={"conv2": 0.5}, weights={"conv3": 0.5, "conv2": 0.3})
    plain = prune(model, recipe, QUICK)
    mended = prune(model, Recipe(recipe.channels, recipe.weights, after="least_squares"), QUICK)
    assert mended.pruned.accuracy > plain.pruned.accuracy + 0.2
    assert mended.pruned.nonzero_params == plain.pruned.nonzero_params


def test_the_same_twice_is_the_same_bit_by_bit(one_thread):
    model = analyse(load("digits-cnn"))
    a, b = (prepare(model, halved(model)).model.state_dict() for _ in range(2))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_no_label_is_read_and_nothing_is_trained(monkeypatch):
    subject = load("digits-cnn")
    model = analyse(subject)
    training = type(subject.task.split("training"))

    def raises(self):
        raise AssertionError("a label was read")

    inputs = subject.task.split("training").inputs

    class Unlabelled(training):
        def __init__(self):
            object.__setattr__(self, "inputs", inputs)

        targets = property(raises)

    blind = Unlabelled()
    with pytest.raises(AssertionError, match="a label"):
        len(blind.targets)
    monkeypatch.setitem(subject.task._splits, "training", blind)
    before = {name: tensor.clone() for name, tensor in subject.model.state_dict().items()}
    with torch.inference_mode():  # in which nothing can be differentiated
        small = prepare(model, halved(model)).model
    assert small.get_parameter("conv2.weight").grad is None
    assert all(torch.equal(before[name], tensor) for name, tensor in subject.model.state_dict().items())


def test_without_training_data_or_a_graph_it_says_so():
    model = analyse(odd("chain"))
    (note,) = prepare(model, halved(model)).notes
    assert note.startswith("Weights were not repaired by least squares: this model has no training data.")


# --------------------------------------------------------------------------- layer by layer


@pytest.mark.parametrize("name", ZOO)
def test_every_odd_model_is_repaired_where_there_is_a_closed_form(name):
    """Outputs of no layer are worse than before, and names and shapes are as before."""
    model = analyse(odd(name))
    masks, batches = decide(model, halved(model)).masks, batches_for(model)
    plain, work = compact(model, masks), repaired(model, masks, batches)
    assert work.result.layers and {n: t.shape for n, t in plain.state_dict().items()} == {
        n: t.shape for n, t in work.small.state_dict().items()
    }
    for weight in work.done:
        uses = [one for one in contractions(work.small) if same(work.small, one.weight, weight)]
        without = compact(model, masks)
        without.load_state_dict(work.small.state_dict())
        for leaf in (leaf for one in uses for leaf in (one.weight, one.bias) if leaf):
            without.get_parameter(leaf).data.copy_(plain.get_parameter(leaf))
        left, before = (
            sum(squares(model, masks, m, batches, one) for one in uses) for m in (work.small, without)
        )
        assert left <= before * (1 + 1e-5)


def same(small, one: str, other: str) -> bool:
    return small.get_parameter(one) is small.get_parameter(other)


def squares(model, masks, small, batches, one) -> float:
    rows, _ = missing(model, masks, small, batches, one.node)
    return float((rows if one.bias else rows - rows.mean(1, keepdim=True)).square().sum())


@pytest.mark.parametrize(
    "name, node", [("chain", "conv2"), ("chain", "fc"), ("concat", "after"), ("no_bias", "b")]
)
def test_a_layer_is_what_numpy_finds(name, node, monkeypatch):
    monkeypatch.setattr("explorer.repair.layer_solution.chosen_strength", lambda fit, held: 1e-12)
    monkeypatch.setattr("explorer.repair.layer_solution.ROWS", 10**6)  # none is left out
    model = analyse(odd(name))
    masks, batches = decide(model, halved(model)).masks, batches_for(model)
    work = repaired(model, masks, batches)
    left, read = missing(model, masks, work.small, batches, node)
    has_bias = next(one for one in contractions(work.small) if one.node == node).bias is not None
    table = torch.cat([read[0], torch.ones(read.shape[1], 1)], 1) if has_bias else read[0]
    table, left = table.double().numpy(), left[0].double().numpy()
    more = table @ numpy.linalg.lstsq(table, left, rcond=None)[0]
    assert (left**2).sum() > 1e-3 and (more**2).sum() < 1e-6 * (left**2).sum()


def test_layers_that_share_a_weight_are_solved_together():
    for name in ("tied", "reused"):
        model = analyse(odd(name))
        masks = decide(model, halved(model)).masks
        work = repaired(model, masks, batches_for(model))
        small = work.small
        if name == "tied":
            assert small.first.weight is small.second.weight
        assert any(weight.startswith(("second", "again")) for weight in work.result.layers)


def test_what_cannot_be_solved_is_named():
    """An embedding's table multiplies nothing, nor do three factors of one product."""

    class Bilinear(nn.Module):
        def __init__(self):
            super().__init__()
            self.enter, self.both, self.fc = nn.Linear(8, 6), nn.Bilinear(6, 6, 5), nn.Linear(5, 10)

        def forward(self, x):
            x = torch.relu(self.enter(x[:, 0, 0]))
            return self.fc(self.both(x, x))

    model, task = Bilinear().eval(), load("digits-mlp").task
    subject = Subject(subject_id(model), "bilinear", model, task, task.example(2))
    recipe = Recipe(channels={"enter": 0.5}, after="least_squares")
    (note,) = prepare(analyse(subject), recipe).notes
    assert note == (
        "No layer could be fitted by least squares. 'both.weight' lost inputs or weights and stays as it is: "
        "there is no closed form."
    )


def test_what_multiplies_nothing_is_no_layer_that_was_missed():
    """A class token and positions lose channels like weights do, and there is nothing to fit."""
    model = analyse(load("shapes-vit"))
    masks = decide(model, halved(model)).masks
    lost = {
        slot.tensor
        for group in model.profile.groups
        if group.name in masks.channels
        for slot in group.slots
        if not slot.producer
    }
    assert {"class_token", "positions"} <= lost
    missed = LeastSquares(model, masks, compact(model, masks), compact(model, Masks({}, {})), [])
    assert not {"class_token", "positions"} & set(missed.result.unsolved)
    assert "blocks.0.attention.out.weight" in missed.result.unsolved or len(missed.result.unsolved) > 15


def test_a_layer_for_which_no_change_helps_says_so():
    done = Repaired(("a.weight",), (), ("b.weight", "c.weight"), ("d.weight",))
    (note,) = repair_notes(done, 64)
    assert note == (
        "1 layer fitted by least squares on 64 training samples. 'b.weight' and 1 more lost inputs or "
        "weights and stay as they are: no change helps on held-back samples. 'd.weight' lost inputs or "
        "weights and stays as it is: there is no closed form."
    )


def test_single_weights_of_a_layer_without_a_closed_form_are_named():
    model = analyse(odd("fused_qkv"))
    assert model.profile.prunable_layers

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru, self.fc = nn.GRU(8, 6, batch_first=True), nn.Linear(6, 10)

        def forward(self, x):
            return self.fc(self.gru(x[:, 0])[0][:, -1])

    network, task = Recurrent().eval(), load("digits-mlp").task
    subject = Subject(subject_id(network), "recurrent", network, task, task.example(2))
    read = analyse(subject)
    layer = next(name for name, one in read.profile.prunable_layers.items() if one.kind == "recurrent")
    (note,) = prepare(read, Recipe(weights={layer: 0.5}, after="least_squares")).notes
    assert "there is no closed form" in note
