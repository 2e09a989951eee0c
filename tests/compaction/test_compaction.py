"""What a compact model must be: same outputs as masked, same names, trainable, exportable, dynamic in its
batch.
"""

import pytest
import torch
from rows import some
from zoo import ZOO, odd

from explorer.compaction.compact import compact
from explorer.engine.candidate import prepare
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import count_macs, graph_of
from explorer.planning.allocate import allocate
from explorer.planning.allocation import Allocation
from explorer.pruning.decision import decide
from explorer.pruning.masks import expand
from explorer.values.choice import Choice
from explorer.values.profile import Masks
from explorer.values.recipe import Recipe


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
