"""Every criterion keeps the contract, means what its paper says, and is not another one under a new name."""

import itertools
import re
from dataclasses import replace
from typing import get_args

import pytest
import torch
from calibrated import renamed, same, subject_of, traces, with_data
from torch import nn
from torch.nn import functional
from zoo import ZOO

from explorer.errors import ExplorerError, RecipeError, UnknownNameError
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.planning.allocate import allocate
from explorer.planning.allocation import Allocation
from explorer.pruning.checks import check_recipe
from explorer.pruning.decision import decide, scores_for
from explorer.registry import CRITERIA, Plugin
from explorer.signals.calibration import Calibration
from explorer.signals.collection import NEEDS, needs_data, signals_of
from explorer.signals.values import LayerSignals
from explorer.values.choice import Choice
from explorer.values.profile import Saliencies
from explorer.values.recipe import REDUCTIONS, Recipe

MODELS = ["chain", "residual", "grouped", "concat", "depthwise", "fused_qkv", "squeeze_excite", "shuffle"]


def scores(subject, criterion, **fields):
    choice = criterion if isinstance(criterion, Choice) else Choice(criterion)
    return scores_for(analyse(subject), Recipe(criterion=choice, **fields))


def usable(subject, criterion):
    """The scores, or None where a criterion says in a sentence that this model lacks what it reads."""
    try:
        return scores(subject, criterion)
    except ExplorerError as error:
        lacking = {"bn_scale": "norms", "hrank": "feature maps"}
        assert lacking[criterion] in str(error) and "choose" in str(error)
        return None


# --------------------------------------------------------------------------- the contract


@pytest.mark.parametrize("name", list(CRITERIA))
def test_traits_are_complete(name):
    plugin = CRITERIA[name]
    traits = plugin.traits
    assert traits["level"] in ("weight", "channel") and traits["scope"] in ("part", "row")
    assert traits["reduction"] in ("sum_abs", "abs_sum", "sum_sq")
    assert set(traits["needs"]) <= set(NEEDS) and isinstance(traits["rank"], int)
    assert traits["trap"].endswith(".") and "\n" not in traits["trap"]


@pytest.mark.parametrize("name", list(CRITERIA))
def test_the_docstring_names_its_source_and_shows_an_example(name):
    text = CRITERIA[name].function.__doc__
    assert re.search(r"arXiv:\d{4}\.\d{5}", text) or name == "random"
    assert ">>> " in text and CRITERIA[name].tooltip


@pytest.mark.parametrize("name", list(CRITERIA))
def test_every_parameter_can_be_a_widget(name):
    for param in CRITERIA[name].params.values():
        assert param.kind in (int, float, bool, str) and param.check(param.default) == param.default
        assert param.kind is not str or param.choices, "free text has no widget"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", list(CRITERIA))
def test_every_criterion_rates_every_part_of_every_model(name, model):
    subject = with_data(model)
    graph, before = graph_of(subject), traces(subject.model)
    ratings = usable(subject, name)
    assert same(before, traces(subject.model))
    if ratings is None:
        return
    level = CRITERIA[name].traits["level"]
    assert set(ratings.channels) == set(graph.profile.free_groups)
    assert set(ratings.weights) == (set(graph.profile.prunable_layers) if level == "weight" else set())
    for group, values in ratings.channels.items():
        assert values.shape == (graph.profile.free_groups[group].units,)
    for layer, values in ratings.weights.items():
        assert values.shape == graph.profile.prunable_layers[layer].shape
    for values in (*ratings.channels.values(), *ratings.weights.values()):
        assert bool(torch.isfinite(values).all()) and bool((values >= 0).all())


@pytest.mark.parametrize("name", list(CRITERIA))
def test_a_channel_criterion_returns_one_number_an_output(name):
    subject = with_data("chain")
    graph = graph_of(subject)
    plugin = CRITERIA[name]
    if usable(subject, name) is None:
        return
    signals = signals_of(Analysed(subject, graph), plugin)
    for layer in graph.profile.prunable_layers.values():
        shape = (layer.shape[0],) if plugin.traits["level"] == "channel" else layer.shape
        assert plugin(signals(layer)).shape == shape


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", list(CRITERIA))
def test_every_reduction_works(name, reduction):
    ratings = (
        scores(with_data("residual"), name, reduction=reduction)
        if usable(with_data("residual"), name)
        else None
    )
    assert ratings is None or ratings.channels["stem"].shape == (8,)


@pytest.mark.parametrize("name", [name for name in CRITERIA if name != "random"])
def test_a_weight_that_is_scaled_up_is_never_rated_lower_without_data(name):
    if CRITERIA[name].traits["needs"] or CRITERIA[name].traits["level"] != "weight":
        return
    layer = LayerSignals("fc", "linear", torch.tensor([[0.5, -2.0]]))
    larger = LayerSignals("fc", "linear", torch.tensor([[0.6, -2.5]]))
    assert bool((CRITERIA[name](larger) > CRITERIA[name](layer)).all())


def test_wrong_parameters_are_refused():
    with pytest.raises(RecipeError, match="one of 1, 2"):
        CRITERIA["taylor"].check({"order": 3})
    with pytest.raises(UnknownNameError, match="order"):
        CRITERIA["taylor"].check({"degree": 1})
    assert get_args(CRITERIA["taylor"].function.__annotations__["order"]) == (1, 2)


def test_a_channel_criterion_cannot_rate_weights():
    subject = with_data("chain")
    for call in (
        lambda: check_recipe(analyse(subject).profile, Recipe(weights={"fc": 0.5}, criterion=Choice("fpgm"))),
        lambda: allocate(
            analyse(subject), Recipe(criterion=Choice("fpgm")), Allocation(Choice("uniform"), 0.5, "weight")
        ),
    ):
        with pytest.raises(RecipeError, match="rates channels only") as caught:
            call()
        assert "l1" in str(caught.value) and "apoz" not in str(caught.value)


# --------------------------------------------------------------------------- no criterion twice


def orders(ratings):
    """Granularity -> the ranking of every part, one tuple."""
    return {
        kind: tuple(
            tuple(torch.argsort(values.flatten(), stable=True).tolist())
            for values in ratings.of(kind).values()
        )
        for kind in ("channel", "weight")
        if ratings.of(kind)
    }


def identical(a, b):
    """The same rankings at every granularity that both claim."""
    return all(a[kind] == b[kind] for kind in a.keys() & b.keys())


@pytest.fixture(scope="module")
def rankings():
    subject = load("digits-cnn")
    return {name: orders(scores(subject, name)) for name in CRITERIA}


def test_no_two_criteria_rank_everything_alike(rankings):
    twins = [
        pair
        for pair in itertools.combinations(rankings, 2)
        if identical(rankings[pair[0]], rankings[pair[1]])
    ]
    assert not twins


def test_a_twin_would_be_noticed(rankings):
    subject = load("digits-cnn")
    graph = graph_of(subject)
    doubled = Saliencies(
        {n: 2 * s for n, s in scores(subject, "l1").channels.items()},
        {n: 2 * s for n, s in scores(subject, "l1").weights.items()},
    )
    assert graph.profile.free_groups and identical(orders(doubled), rankings["l1"])


@pytest.mark.parametrize(("one", "other"), [("l1", "l2"), ("taylor", "fisher")])
def test_some_differ_for_channels_only_as_their_traps_say(rankings, one, other):
    assert rankings[one]["weight"] == rankings[other]["weight"]
    assert rankings[one]["channel"] != rankings[other]["channel"]


def test_the_orders_of_taylor_differ(rankings):
    second = orders(scores(load("digits-cnn"), Choice("taylor", {"order": 2})))
    assert (
        second["weight"] != rankings["taylor"]["weight"]
        and second["channel"] != rankings["taylor"]["channel"]
    )


def test_data_matters_where_it_is_needed():
    one, other = with_data("chain", seed=0), with_data("chain", seed=0)
    other = renamed(other)
    task = with_data("chain", seed=5).task
    changed = type(other)(other.id, other.name, other.model, task, other.example)
    for name, plugin in CRITERIA.items():
        equal = orders(scores(one, name)) == orders(scores(changed, name))
        assert equal or needs_data(plugin), name
        assert not equal or not needs_data(plugin) or name in ("hrank", "apoz"), name


# --------------------------------------------------------------------------- meanings


def test_bn_scale_falls_back_to_weights_where_a_group_has_no_norm():
    subject = with_data("chain")
    with torch.no_grad():
        subject.model.norm.weight.copy_(torch.tensor([3.0, -4.0, 0.0, 1.0, 2.0, 5.0, 6.0, 7.0]))
    found = scores(renamed(subject), "bn_scale").channels
    assert found["conv1"].tolist() == [3.0, 4.0, 0.0, 1.0, 2.0, 5.0, 6.0, 7.0]
    torch.testing.assert_close(found["conv2"], subject.model.conv2.weight.detach().abs().mean((1, 2, 3)))


def test_fpgm_is_the_sum_of_distances_to_all_filters():
    subject = with_data("chain")
    rows = subject.model.conv1.weight.detach().flatten(1)
    expected = torch.stack([sum((row - other).norm() for other in rows) for row in rows])
    torch.testing.assert_close(scores(subject, "fpgm").channels["conv1"], expected)


def test_a_filter_with_a_twin_goes_first_under_fpgm_though_it_is_large():
    weight = torch.tensor([[9.0, 9.0], [9.0, 9.0], [8.0, 9.5], [0.1, 0.0]])
    rated = CRITERIA["fpgm"](LayerSignals("fc", "linear", weight))
    assert int(rated.argmin()) in (0, 1) and int(rated.argmax()) == 3


def test_wanda_ranks_within_each_row():
    subject = with_data("no_bias")
    mask = decide(analyse(subject), Recipe(weights={"a": 3 / 7}, criterion=Choice("wanda"))).masks.weights[
        "a"
    ]
    assert mask.sum(1).tolist() == [4] * 9
    free = decide(analyse(subject), Recipe(weights={"a": 3 / 7})).masks.weights["a"]
    assert free.sum(1).tolist() != [4] * 9


def test_an_input_that_is_never_active_loses_its_weights_under_wanda():
    torch.manual_seed(0)
    inputs = torch.randn(16, 7) * torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    model = ZOO["no_bias"][0]()
    model.a.weight.data[:, 2] = 100.0
    rated = scores(subject_of(model, inputs), "wanda").weights["a"]
    assert bool((rated[:, 2] == 0).all()) and bool((rated[:, :2] > 0).all())


def test_taylor_is_the_squared_change_of_the_loss_as_a_channel_begins_to_go():
    subject = with_data("chain", samples=10)
    data, model = subject.task.split("training"), subject.model.double()
    inputs, step = data.inputs.double(), 1e-4

    def losses(channel, strength):
        gate = 1 - strength * functional.one_hot(torch.tensor(channel), 8).double()
        hidden = torch.relu(model.norm(model.conv1(inputs))) * gate.view(1, -1, 1, 1)
        return functional.cross_entropy(
            model.fc(torch.relu(model.conv2(hidden)).flatten(1)), data.targets, reduction="none"
        )

    with torch.no_grad():
        measured = torch.stack(
            [((losses(c, step) - losses(c, -step)) / (2 * step)).square().mean() for c in range(8)]
        )
    single = with_data("chain", samples=10)
    graph = graph_of(single)
    signals = signals_of(Analysed(single, graph), CRITERIA["taylor"], how=Calibration(batch=1))
    layer = replace(signals(graph.profile.prunable_layers["conv1"]), granularity="channel")
    torch.testing.assert_close(CRITERIA["taylor"](layer).double(), measured, rtol=1e-3, atol=1e-9)


def test_synflow_is_data_free_and_the_same_twice():
    first, second = (scores(with_data("chain", seed=0), "synflow").weights for _ in range(2))
    assert all(torch.equal(first[layer], second[layer]) for layer in first)


class Dead(nn.Module):
    """The second hidden unit never fires."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 4)
        self.a.bias.data[1] = -100.0

    def forward(self, x):
        return self.b(torch.relu(self.a(x)))


@pytest.mark.parametrize("name", ["apoz", "activation_mean", "taylor", "fisher", "snip"])
def test_a_dead_channel_goes_first(name):
    torch.manual_seed(0)
    subject = subject_of(Dead(), torch.randn(32, 3))
    rated = scores(subject, name).channels["a"]
    assert float(rated[1]) == 0.0 and int((rated == 0).sum()) == 1
    assert (
        int(scores(subject, "l1").channels["a"].argmin()) != 1
        or float(scores(subject, "l1").channels["a"][1]) > 0
    )


# --------------------------------------------------------------------------- a plug-in of one's own


def test_a_plugin_of_ones_own_is_held_to_the_same_contract():
    def flat(layer: LayerSignals):
        """All alike."""
        return torch.ones_like(layer.weight)

    plugin = Plugin("flat", flat, {"level": "weight"})
    assert (
        plugin(LayerSignals("fc", "linear", torch.zeros(1, 2))).tolist() == [[1.0, 1.0]]
        and plugin.params == {}
    )
