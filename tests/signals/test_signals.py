"""What is collected for criteria: by hand-made numbers, against plain autograd, and leaving the model as it
was.
"""

import math
from dataclasses import replace

import pytest
import torch
from calibrated import renamed, same, split_of, subject_of, task_of, traces, with_data
from rows import some
from torch import nn
from torch.nn import functional
from zoo import ZOO, Chain, odd

from explorer.errors import ExplorerError
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import graph_of
from explorer.signals.calibration import Calibration, activations, gradients
from explorer.signals.collection import NEEDS, WITH_DATA, collect, collected
from explorer.signals.watching import silent, watch
from explorer.values.progress import outcome, progress_of
from explorer.values.samples import Split
from explorer.values.subject import Normalisation


class Branching(nn.Module):
    """Control flow that depends on data: it has no graph."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 5, 1), nn.Linear(5, 4)

    def forward(self, x):
        y = self.conv(x)
        return self.fc(y.mean((2, 3)) if y.sum() > 0 else y.amax((2, 3)))


class FixedBatch(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 4)

    def forward(self, x):
        return self.fc(x) if len(x) == 2 else self.fc(-x)


# --------------------------------------------------------------------------- laws


@pytest.mark.parametrize("name", [*ZOO, "branching"])
def test_collecting_leaves_the_model_as_it_was(name):
    subject = with_data(name) if name in ZOO else subject_of(Branching(), torch.randn(10, 3, 4, 4))
    graph, before = graph_of(subject), traces(subject.model)
    refused = set()
    for need in NEEDS:
        try:
            collected(Analysed(subject, graph), [need])
        except ExplorerError:
            refused.add(need)
    assert same(before, traces(subject.model))
    assert not refused & {"gradients", "activations"}
    assert graph.program is not None or refused == {"norms", "neighbours", "flow"}


def test_a_trace_is_seen():
    model = Chain().eval()
    before = traces(model)
    model.conv1.register_forward_hook(lambda *given: None)
    assert not same(before, traces(model))
    model = Chain().eval()
    before = traces(model)
    model(torch.randn(2, 3, 8, 8)).sum().backward()
    assert not same(before, traces(model))
    model = Chain()
    before = traces(model)
    model(torch.randn(2, 3, 8, 8))
    assert not same(before, traces(model)), "running statistics moved"


@pytest.mark.parametrize("name", some(ZOO, 3))
def test_every_layer_gets_finite_signals_of_the_right_shapes(name):
    subject = with_data(name)
    graph = graph_of(subject)
    found = collected(Analysed(subject, graph), ["gradients", "activations", "neighbours"])
    for layer in graph.profile.prunable_layers.values():
        signals, out = found[layer.name], layer.shape[layer.output_dim]
        assert all(bool(torch.isfinite(values).all()) for values in signals.values())
        assert signals["gradient"].shape == signals["squared_gradient"].shape == layer.shape
        assert all(
            signals[what].shape == (out,)
            for what in ("gate_gradient", "squared_gate_gradient", "positive_share", "mean_magnitude")
        )
        weight = subject.model.get_parameter(layer.weight).detach()
        for factor in ("input_norm", "own_gain", "upstream", "downstream"):
            assert (weight * signals[factor]).shape == layer.shape


def test_progress_then_nothing_the_second_time():
    subject = with_data("chain", seed=11)
    graph, how = graph_of(subject), Calibration(batch=8)
    steps = collect(Analysed(subject, graph), ["gradients", "activations"], how)
    shares = [(now.done, now.total) for now in progress_of(steps)]
    assert (
        shares
        == [
            (0, 24),
            (8, 24),
            (16, 24),
            (24, 24),
        ]
        * 2
    )
    assert list(collect(Analysed(subject, graph), ["gradients", "activations"], how)) == []
    other = replace(subject, task=with_data("chain", seed=12).task)
    assert list(collect(Analysed(other, graph), ["gradients"], how)), "other data, other signals"


def test_a_closed_collection_keeps_nothing_and_leaves_grad_mode_alone():
    subject = with_data("chain", seed=13)
    graph, before = graph_of(subject), traces(subject.model)
    steps = collect(Analysed(subject, graph), ["gradients"], Calibration(batch=8))
    next(steps)
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    steps.close()
    assert same(before, traces(subject.model))
    again = collect(Analysed(subject, graph), ["gradients"], Calibration(batch=8))
    assert len(list(progress_of(again))) == 4


def test_only_the_first_samples_are_read():
    subject = with_data("no_bias", samples=40)
    few = replace(subject, task=task_of(subject.task.split("training").first(16)))
    graph = graph_of(subject)
    first = outcome(gradients(Analysed(subject, graph), Calibration(samples=16)))
    assert torch.equal(
        first["a"]["gradient"], outcome(gradients(Analysed(few, graph), Calibration()))["a"]["gradient"]
    )
    assert not torch.equal(
        first["a"]["gradient"], outcome(gradients(Analysed(subject, graph), Calibration()))["a"]["gradient"]
    )


def test_raw_inputs_are_normalised():
    raw = torch.randint(0, 255, (8, 7), dtype=torch.uint8)
    subject = replace(
        odd("no_bias"),
        task=task_of(split_of(raw), "raw", Normalisation(scale=1 / 255, mean=(0.5,), std=(0.25,))),
    )
    norms = outcome(activations(analyse(subject), Calibration()))["a"]["input_norm"]
    torch.testing.assert_close(norms, ((raw / 255 - 0.5) / 0.25).square().sum(0, keepdim=True).sqrt())


def test_a_model_with_a_fixed_batch_reads_whole_batches():
    torch.manual_seed(0)
    subject = subject_of(FixedBatch(), torch.randn(5, 6))
    graph = graph_of(subject)
    assert graph.program is not None
    done = [now.done for now in progress_of(collect(Analysed(subject, graph), ["gradients"]))]
    assert done == [0, 2, 4]


def test_without_data_the_sentence_names_criteria_that_need_none():
    from explorer.pruning.decision import scores_for
    from explorer.values.choice import Choice
    from explorer.values.recipe import Recipe

    subject = odd("chain")
    with pytest.raises(ExplorerError, match="Without data work: l1, l2") as caught:
        scores_for(analyse(subject), Recipe(criterion=Choice("taylor")))
    assert "\n" not in str(caught.value) and "wanda" not in str(caught.value)
    empty = replace(subject, task=task_of(Split(torch.zeros(0, 3, 8, 8), torch.zeros(0, dtype=torch.long))))
    with pytest.raises(ExplorerError, match="Without data work"):
        scores_for(analyse(empty), Recipe(criterion=Choice("wanda")))


# --------------------------------------------------------------------------- gradients


def test_gradients_are_those_of_plain_autograd():
    subject = with_data("residual")
    graph, data = graph_of(subject), subject.task.split("training")
    signals = outcome(gradients(Analysed(subject, graph), Calibration(batch=5)))  # 24 is no multiple of 5
    torch.manual_seed(0)
    twin = ZOO["residual"][0]().eval()
    twin.load_state_dict(subject.model.state_dict())
    functional.cross_entropy(twin(data.inputs), data.targets).backward()
    for name in ("stem", "a", "b", "fc"):
        torch.testing.assert_close(
            signals[name]["gradient"], twin.get_submodule(name).weight.grad, rtol=1e-4, atol=1e-6
        )


def test_squared_gradients_are_exact_at_batch_one():
    subject = with_data("chain", samples=6)
    graph, data = graph_of(subject), subject.task.split("training")
    signals = outcome(gradients(Analysed(subject, graph), Calibration(batch=1)))
    weight = subject.model.conv2.weight
    squares = torch.zeros_like(weight)
    for i in range(6):
        loss = functional.cross_entropy(subject.model(data.inputs[i : i + 1]), data.targets[i : i + 1])
        squares += torch.autograd.grad(loss, weight)[0].square() / 6
    torch.testing.assert_close(signals["conv2"]["squared_gradient"], squares, rtol=1e-4, atol=1e-8)
    in_batches = outcome(gradients(Analysed(subject, graph), Calibration(batch=3)))
    assert not torch.allclose(in_batches["conv2"]["squared_gradient"], squares)


def test_a_gate_is_the_derivative_of_scaling_what_reads_a_channel():
    subject = with_data("chain", samples=8)
    subject.model.norm.bias.data.uniform_(-1, 1)
    subject = renamed(subject)
    graph, data, model = graph_of(subject), subject.task.split("training"), subject.model
    gate = torch.ones(8, requires_grad=True)
    hidden = torch.relu(model.norm(model.conv1(data.inputs))) * gate.view(1, -1, 1, 1)
    logits = model.fc(torch.relu(model.conv2(hidden)).flatten(1))
    expected = torch.autograd.grad(functional.cross_entropy(logits, data.targets), gate)[0]
    signals = outcome(gradients(Analysed(subject, graph), Calibration(batch=8)))
    torch.testing.assert_close(signals["conv1"]["gate_gradient"], expected, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(
        signals["conv1"]["squared_gate_gradient"], 8 * expected.square(), rtol=1e-4, atol=1e-7
    )
    by_producer = (signals["conv1"]["gradient"] * model.conv1.weight.detach()).flatten(1).sum(1)
    assert not torch.allclose(by_producer, expected), (
        "the shift of the norm does not go through the convolution's weights"
    )


def test_gates_of_a_residual_group_sum_over_all_its_readers():
    subject = with_data("residual", samples=8)
    signals = outcome(gradients(analyse(subject), Calibration(batch=8)))
    change = {
        name: signals[name]["gradient"] * subject.model.get_submodule(name).weight.detach()
        for name in ("a", "fc")
    }
    expected = change["a"].sum((0, 2, 3)) + change["fc"].sum(0)
    torch.testing.assert_close(signals["stem"]["gate_gradient"], expected, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(signals["b"]["gate_gradient"], expected, rtol=1e-5, atol=1e-7)


# --------------------------------------------------------------------------- activations


class Rectified(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.head = nn.Linear(2, 2, bias=False), nn.Linear(2, 4, bias=False)
        self.fc.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0]])

    def forward(self, x):
        return self.head(torch.relu(self.fc(x)))


def test_activations_by_hand():
    subject = subject_of(Rectified(), torch.tensor([[3.0, -1.0], [4.0, 1.0], [0.0, -2.0]]))
    found = outcome(activations(analyse(subject), Calibration(batch=2)))
    torch.testing.assert_close(found["fc"]["input_norm"], torch.tensor([[5.0, math.sqrt(6)]]))
    torch.testing.assert_close(found["fc"]["positive_share"], torch.tensor([2 / 3, 1 / 3]))
    torch.testing.assert_close(found["fc"]["mean_magnitude"], torch.tensor([7 / 3, 1 / 3]))
    torch.testing.assert_close(found["head"]["input_norm"], torch.tensor([[5.0, 1.0]]))


def test_inputs_of_a_grouped_convolution_belong_to_its_groups():
    subject = with_data("grouped")
    norms_given = outcome(activations(analyse(subject), Calibration()))["grouped"]["input_norm"]
    hidden = subject.model.enter(subject.task.split("training").inputs).detach()
    norms = hidden.square().sum((0, 2, 3)).sqrt()
    assert norms_given.shape == (12, 4, 1, 1)
    torch.testing.assert_close(norms_given[0].flatten(), norms[:4])
    torch.testing.assert_close(norms_given[11].flatten(), norms[4:])


@pytest.mark.parametrize(
    ("name", "layer", "expected"),
    [
        ("chain", "conv1", lambda m, x: torch.relu(m.norm(m.conv1(x)))),
        ("residual", "stem", lambda m, x: torch.relu(m.stem(x))),
        ("concat", "right", lambda m, x: torch.relu(m.norm(torch.cat([m.left(x), m.right(x)], 1)))[:, 6:]),
        ("depthwise", "expand", lambda m, x: m.expand(x)),
        ("depthwise", "depthwise", lambda m, x: functional.hardswish(m.depthwise(m.expand(x)))),
        ("padded_shortcut", "stem", lambda m, x: torch.relu(m.stem(x))),
    ],
)
def test_an_activation_comes_after_norm_addition_concatenation_and_activation_function(name, layer, expected):
    subject = with_data(name)
    found = outcome(activations(analyse(subject), Calibration()))[layer]
    values = expected(subject.model, subject.task.split("training").inputs).detach()
    torch.testing.assert_close(found["mean_magnitude"], values.abs().mean((0, 2, 3)), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found["positive_share"], (values > 0).float().mean((0, 2, 3)))


def test_without_a_graph_modules_are_watched():
    torch.manual_seed(0)
    subject = subject_of(Branching(), torch.randn(10, 3, 4, 4))
    graph = graph_of(subject)
    assert graph.program is None
    inputs = subject.task.split("training").inputs
    found = outcome(activations(Analysed(subject, graph), Calibration(batch=4)))
    torch.testing.assert_close(
        found["conv"]["mean_magnitude"], subject.model.conv(inputs).detach().abs().mean((0, 2, 3))
    )
    torch.testing.assert_close(found["conv"]["input_norm"].flatten(), inputs.square().sum((0, 2, 3)).sqrt())


class Maps(nn.Module):
    """One channel copies the image, the other repeats its first column."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 2, (1, 3), bias=False), nn.Linear(2, 4)
        self.conv.weight.data = torch.tensor([[[[0.0, 0.0, 1.0]]], [[[0.0, 0.0, 0.0]]]])

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))


class Attentive(nn.Module):
    """Its projection is a bare parameter, used by no module of its own; it makes a tensor on the way."""

    def __init__(self):
        super().__init__()
        self.attention, self.fc = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 4)

    def forward(self, x):
        x = x + torch.arange(x.shape[1], device=x.device).view(1, -1, 1)
        return self.fc(self.attention(x, x, x, need_weights=False)[0].mean(1))


def test_weights_without_a_module_of_their_own_are_watched_too():
    torch.manual_seed(0)
    subject = subject_of(Attentive(), torch.randn(6, 3, 8))
    found = outcome(activations(analyse(subject), Calibration()))["attention.in_proj_weight"]
    moved = subject.task.split("training").inputs + torch.arange(3).view(1, -1, 1)
    torch.testing.assert_close(found["input_norm"].flatten(), moved.square().sum((0, 1)).sqrt())
    assert found["mean_magnitude"].shape == (24,)


@pytest.mark.parametrize("name", some([*ZOO, "attentive"], 3))
def test_the_stand_in_runs_on_another_device(name):
    subject = with_data(name) if name in ZOO else subject_of(Attentive(), torch.randn(6, 3, 8))
    watched, seen = watch(analyse(subject), "meta"), []
    logits = watched.run(subject.example.to("meta"), lambda layer, x: seen.append(x.device.type), silent)
    assert logits.device.type == "meta" and logits.shape[0] == 2 and set(seen) == {"meta"}
    assert all(p.device.type == "cpu" for p in subject.model.parameters())


def test_ranks_of_maps_by_hand():
    image = torch.tensor([[0.0, 0.0, 1.0, 2.0], [0.0, 0.0, 3.0, 4.0]]).view(1, 1, 2, 4)
    flat = torch.tensor([[0.0, 0.0, 1.0, 2.0], [0.0, 0.0, 2.0, 4.0]]).view(1, 1, 2, 4)
    subject = subject_of(Maps(), torch.cat([image, flat]))
    found = collected(analyse(subject), ["feature_maps"])
    assert found["conv"]["map_rank"].tolist() == [1.5, 0.0] and "fc" not in found


# --------------------------------------------------------------------------- what the graph alone tells


def test_the_scale_of_the_norm_that_follows():
    subject = with_data("concat")
    with torch.no_grad():
        subject.model.norm.weight.copy_(torch.arange(11) - 5.0)
    subject = renamed(subject)
    found = collected(analyse(subject), ["norms"])
    assert found["left"]["norm_scale"].tolist() == [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]
    assert found["right"]["norm_scale"].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert bool(found["after"]["norm_scale"].isnan().all())


def test_a_model_without_norms_has_no_scales():
    subject = odd("no_bias")
    with pytest.raises(ExplorerError, match="bn_scale"):
        collected(analyse(subject), ["norms"])


class Plain(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Linear(2, 2, bias=False),
            nn.ReLU(),
            nn.Linear(2, 2, bias=False),
            nn.ReLU(),
            nn.Linear(2, 4, bias=False),
        )
        self[0].weight.data = torch.tensor([[3.0, 4.0], [0.0, 1.0]])
        self[4].weight.data = torch.tensor([[2.0, 0.0], [0.0, 3.0], [0.0, 4.0], [0.0, 0.0]])


def test_neighbours_by_hand():
    subject = subject_of(Plain(), torch.randn(4, 2))
    found = collected(analyse(subject), ["neighbours"])
    assert found["2"]["upstream"].tolist() == [[5.0, 1.0]]
    assert found["2"]["downstream"].tolist() == [[2.0], [5.0]]
    assert (
        found["0"]["upstream"].tolist() == [[1.0, 1.0]] and found["4"]["downstream"].tolist() == [[1.0]] * 4
    )


def test_neighbours_count_with_the_gain_of_their_norms():
    subject = odd("chain")
    model = subject.model
    with torch.no_grad():
        model.norm.weight.fill_(-3.0)
        model.norm.running_var.fill_(4.0 - model.norm.eps)
    subject = renamed(subject)
    found = collected(analyse(subject), ["neighbours"])
    torch.testing.assert_close(found["conv1"]["own_gain"].flatten(), torch.full((8,), 1.5))
    expected = 1.5 * model.conv1.weight.detach().flatten(1).norm(dim=1)
    torch.testing.assert_close(found["conv2"]["upstream"].flatten(), expected)


def test_a_depthwise_convolution_is_fed_along_its_outputs():
    subject = odd("depthwise")
    found = collected(analyse(subject), ["neighbours"])
    norms = subject.model.expand.weight.detach().flatten(1).norm(dim=1)
    torch.testing.assert_close(found["depthwise"]["upstream"].flatten(), norms.repeat_interleave(2))


# --------------------------------------------------------------------------- synaptic flow


def test_flow_by_hand_and_its_conservation():
    from explorer.signals.synaptic_flow import _Flow

    subject = subject_of(Plain(), torch.randn(4, 2))
    subject.model[2].weight.data = torch.tensor([[-1.0, 2.0], [0.0, 1.0]])
    subject = renamed(subject)
    flow = _Flow(analyse(subject), "cpu")
    scores = flow.scores(torch.ones(sum(flow.sizes), dtype=torch.bool))
    first, second, third = scores.split(flow.sizes)
    # |W1| 1 = (7, 1); |W2| (7, 1) = (9, 1); 1 |W3| = (2, 7): 18 + 7 = 25 arrive
    assert second.tolist() == [2.0 * 7, 2.0 * 2, 0.0, 7.0 * 1] and third.tolist() == [
        18.0,
        0.0,
        0.0,
        3.0,
        0.0,
        4.0,
        0.0,
        0.0,
    ]
    assert first.sum() == second.sum() == third.sum() == 25.0 and scores.dtype == torch.float64


def test_flow_orders_are_one_order_and_keep_every_layer_connected():
    subject = odd("chain")
    graph = graph_of(subject)
    found = collected(Analysed(subject, graph), ["flow"])
    orders = torch.cat([signals["flow_order"].flatten() for signals in found.values()])
    assert len(orders.unique()) == len(orders) and orders.dtype == torch.float64
    assert all(float(signals["flow_order"].max()) >= 100 for signals in found.values()), (
        "the last path runs through all layers"
    )


def test_norms_count_as_their_scale_in_the_flow():
    subject = with_data("fused_qkv")
    found = collected(analyse(subject), ["flow"])["qkv"]["flow_order"]
    queries, keys, values = found.view(3, -1)
    assert max(float(queries.max()), float(keys.max())) < float(values.min()), (
        "equal tokens: only the values carry any flow"
    )


@pytest.mark.parametrize("need", sorted(WITH_DATA))
def test_collecting_twice_gives_the_same(need):
    subject, how = with_data("chain"), Calibration(batch=7)
    model = analyse(subject)
    first, second = (outcome(WITH_DATA[need](model, how)) for _ in range(2))
    assert first.keys() == second.keys()
    assert all(
        torch.equal(first[layer][what], second[layer][what]) for layer in first for what in first[layer]
    )
