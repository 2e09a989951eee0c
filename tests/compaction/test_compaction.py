"""What a compact model must be: same outputs as masked, same names, trainable, exportable, dynamic in its
batch.
"""

from dataclasses import replace

import pytest
import torch
from rows import some
from torch import nn
from zoo import ZOO, odd

from explorer.compaction.compact import compact
from explorer.engine.candidate import described, prepare
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import count_macs, graph_of
from explorer.graph.remaining_macs import FORMULAS, remaining_macs
from explorer.planning import recipe_costs
from explorer.planning.allocate import allocate
from explorer.planning.allocation import Allocation
from explorer.planning.recipe_costs import CostModel
from explorer.pruning.cutting import Cut
from explorer.pruning.decision import decide
from explorer.pruning.masks import expand
from explorer.values.choice import Choice
from explorer.values.profile import Masks
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject


def halved(name):
    subject = odd(name)
    graph = graph_of(subject)
    masks = decide(
        Analysed(subject, graph),
        allocate(Analysed(subject, graph), Recipe(), Allocation(Choice("uniform"), 0.5)),
    ).masks
    return subject, graph, masks, compact(Analysed(subject, graph), masks)


@pytest.mark.parametrize("name", some(ZOO, 3))
def test_nothing_removed_is_the_same_function(name):
    subject = odd(name)
    model = compact(analyse(subject), Masks({}, {}))
    x = torch.randn(5, *subject.example.shape[1:])
    assert torch.allclose(model(x), subject.model(x), atol=1e-6)
    assert set(model.state_dict()) == set(subject.model.state_dict())


@pytest.mark.parametrize("name", some(ZOO, 3))
def test_the_subject_stays_bit_identical(name):
    subject = odd(name)
    before = {key: value.clone() for key, value in subject.model.state_dict().items()}
    training = [module.training for module in subject.model.modules()]
    *_, model = halved(name)
    model.train()
    model(torch.randn(4, *subject.example.shape[1:])).sum().backward()
    assert all(torch.equal(before[key], value) for key, value in subject.model.state_dict().items())
    assert training == [module.training for module in subject.model.modules()]


@pytest.mark.parametrize("name", some(ZOO, 3))
def test_names_batch_and_export_survive(name):
    subject, _, _, model = halved(name)
    shape = subject.example.shape[1:]
    assert set(model.state_dict()) == set(subject.model.state_dict())
    assert [model(torch.randn(n, *shape)).shape[0] for n in (1, 3, 7)] == [1, 3, 7]
    again = torch.export.export(
        model, (torch.randn(3, *shape),), dynamic_shapes=({0: torch.export.Dim("b")},), strict=False
    )
    x = torch.randn(6, *shape)
    assert torch.allclose(again.module()(x), model(x), atol=1e-5)


@pytest.mark.parametrize("name", some(ZOO, 3))
def test_one_training_step_moves_every_parameter_and_the_statistics(name):
    subject, _, _, model = halved(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.train()
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for _ in range(3):  # a ReLU may leave a channel without a gradient once
            x, y = torch.randn(64, *subject.example.shape[1:]), torch.randint(0, 4, (64,))
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimiser.step()
    still = [key for key, value in model.state_dict().items() if torch.equal(before[key], value)]
    assert still == []


@pytest.mark.parametrize("name", ZOO)
def test_parameters_and_macs_are_those_predicted(name):
    subject, graph, masks, model = halved(name)
    candidate = prepare(
        Analysed(subject, graph),
        allocate(Analysed(subject, graph), Recipe(), Allocation(Choice("uniform"), 0.5)),
    )
    assert candidate.static.params == sum(p.numel() for p in model.parameters())
    assert candidate.static.macs == count_macs(model, subject.example[:1])
    shapes = {key: tuple(value.shape) for key, value in subject.model.state_dict().items()}
    kept = expand(masks, graph.profile, shapes)
    left = {id(p): p.numel() for p in subject.model.parameters()}
    left |= {
        id(p): int(kept[n].sum())
        for n, p in subject.model.named_parameters(remove_duplicate=False)
        if n in kept
    }
    predicted = sum(left.values())
    assert predicted == candidate.static.params


@pytest.mark.parametrize("name", ["chain", "residual", "concat", "depthwise"])
def test_layers_predict_the_counted_macs(name):
    subject = odd(name)
    graph = graph_of(subject)
    candidate = prepare(
        Analysed(subject, graph),
        allocate(Analysed(subject, graph), Recipe(), Allocation(Choice("uniform"), 0.5)),
    )
    assert sum(layer.pruned_macs for layer in candidate.layers) == candidate.static.macs
    assert sum(layer.pruned_params for layer in candidate.layers) == candidate.static.params
    assert (
        sum(layer.macs for layer in candidate.layers)
        == graph.profile.macs
        == count_macs(subject.model, subject.example[:1])
    )


@pytest.mark.parametrize("name", some(ZOO, 3))
def test_the_profile_counts_what_the_flop_counter_counts(name):
    subject = odd(name)
    assert graph_of(subject).profile.macs == count_macs(subject.model, subject.example[:1])


class AlongPlaces(nn.Module):
    """A layer along the places of each channel, as a mixer has them: fewer channels, same weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.along = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(6, 6)
        self.last = nn.Linear(8 * 6 * 6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.along(self.first(x).relu()).flatten(1))


def test_a_layer_along_places_costs_less_with_fewer_channels():
    network = AlongPlaces().eval()
    model = analyse(Subject("along places", "along", network, None, torch.randn(2, 3, 6, 6)))
    candidate = prepare(model, Recipe(channels={"first": 0.5}))
    along = next(layer for layer in candidate.layers if layer.name == "along")
    assert (along.macs, along.pruned_macs) == (8 * 6 * 6 * 6, 4 * 6 * 6 * 6)
    assert along.pruned_shape == along.shape
    assert candidate.static.macs == count_macs(candidate.model, model.subject.example[:1])
    assert sum(layer.pruned_macs for layer in candidate.layers) == candidate.static.macs


def cut_in_parts(model: Analysed) -> list[Recipe]:
    """A recipe for each group alone, and one for all of them, at several ratios."""
    groups = model.profile.free_groups
    alone = [Recipe(channels={name: 0.5}) for name in groups]
    return [*alone, *(Recipe(channels=dict.fromkeys(groups, ratio)) for ratio in (0.25, 0.5, 0.8))]


def wrong_costs(model: Analysed) -> list[Recipe]:
    """The recipes whose predicted multiply-adds are not those of the smaller model."""
    costs, example = CostModel.of(model), model.subject.example[:1].to("meta")
    return [
        recipe
        for recipe in cut_in_parts(model)
        if costs.cost(recipe, "macs") != count_macs(prepare(model, recipe).model.to("meta"), example)
    ]


@pytest.mark.parametrize("name", ["chain", "grouped", "shuffle", "fused_qkv", "mixer"])
def test_a_budget_counts_what_the_flop_counter_counts(name):
    assert wrong_costs(Analysed(odd(name), graph_of(odd(name)))) == []


def test_sizes_of_weights_alone_do_not_tell_what_a_mixer_multiplies(monkeypatch):
    """The negative control of the one before."""
    monkeypatch.setattr(recipe_costs, "product_sizes", lambda graph: None)
    assert Recipe(channels={"embed": 0.5}) in wrong_costs(Analysed(odd("mixer"), graph_of(odd("mixer"))))


def test_multiply_adds_are_counted_where_a_formula_is_wrong(monkeypatch):
    """The negative control: a formula must give what torch's counter finds in the dense model."""
    subject, graph, masks, model = halved("residual")
    counted = count_macs(model, subject.example[:1])
    found = remaining_macs(graph, masks)
    assert found is not None and sum(found.values()) == counted
    monkeypatch.setitem(FORMULAS, "conv2d", lambda shapes: [[1]])
    again = replace(graph)  # nothing is known about it yet
    assert remaining_macs(again, masks) is None
    candidate = described(Analysed(subject, again), model, Cut(masks, ()))
    assert candidate.static.macs == counted


def test_attention_is_counted():
    """q k^T and attention times v: 3 heads x 6 x 6 x 4 each, beside the projections."""
    projections = 6 * (5 * 12 + 12 * 36 + 12 * 12) + 12 * 4
    assert graph_of(odd("fused_qkv")).profile.macs == projections + 2 * 3 * 6 * 6 * 4


def test_a_masked_convolution_with_a_living_norm_is_a_different_model():
    """The negative control of 'masks reach every slot': mask the weights only, and the outputs differ."""
    subject, _, masks, model = halved("chain")
    x = torch.randn(4, 3, 8, 8)
    state = dict(subject.model.state_dict())
    state["norm.bias"] = state["norm.bias"] + 1
    subject.model.load_state_dict(state)
    kept = masks.channels["conv1"].float().view(-1, 1, 1, 1)
    naive = torch.func.functional_call(
        subject.model, {"conv1.weight": subject.model.conv1.weight * kept}, (x,)
    )
    assert (naive - model(x)).abs().max() > 1e-2


def test_tied_weights_stay_tied():
    *_, model = halved("tied")
    assert model.first.weight is model.second.weight
