"""Beginning where two models first differ: the same answers as the whole forward, less work, within its
memory.
"""

from collections.abc import Iterator

import pytest
import torch

from explorer.engine.candidate import prepare
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune, stream
from explorer.graph.analysed import Analysed
from explorer.graph.export import ModelGraph, graph_of
from explorer.loaders.model_text import load
from explorer.measuring import kept_activations
from explorer.measuring.kept_activations import Trail, first_difference, resumed
from explorer.planning.allocate import allocate
from explorer.planning.allocation import Allocation
from explorer.values.choice import Choice
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject

QUICK = Conditions(samples=140, latency=False)  # two batches
MANY = 10**9
NAMES = ["digits-mlp", "digits-cnn", "shapes-resnet", "shapes-mobilenet", "shapes-vit", "shapes-densenet"]
ALWAYS = "digits-mlp", "digits-cnn", "shapes-vit"


def opened(name: str) -> tuple[Subject, ModelGraph]:
    subject = load(name)
    return subject, graph_of(subject)


def moves(model: Analysed) -> Iterator[Recipe]:
    """A hand at the faders: channels, weights and both, late and early, there and back."""
    groups, layers = list(model.graph.profile.free_groups), list(model.graph.profile.prunable_layers)
    start = allocate(model, Recipe(), Allocation(Choice("uniform"), 0.2))
    late, early = groups[-1], groups[0]
    for part, ratio in ((late, 0.4), (late, 0.6), (late, 0.3), (early, 0.3), (late, 0.5)):
        yield start.with_ratios("channel", {**start.channels, part: ratio})
    both = start.with_ratios("weight", {layers[-1]: 0.3})
    yield both
    yield both.with_ratios("weight", {layers[-1]: 0.6})
    yield Recipe(weights=dict.fromkeys(layers, 0.3))
    yield Recipe(weights=dict.fromkeys(layers, 0.3) | {layers[-2]: 0.5})
    yield Recipe(weights=dict.fromkeys(layers, 0.3) | {layers[-2]: 0.7})


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.heavy) for name in NAMES]
)
def test_counts_and_losses_are_those_of_the_whole_forward(name):
    subject, graph = opened(name)
    trail, began_late = Trail(MANY), 0
    for recipe in moves(Analysed(subject, graph)):
        began_late += bool(trail.kept)
        again = outcome(stream(Analysed(subject, graph), recipe, QUICK, trail=trail))
        assert again == prune(Analysed(subject, graph), recipe, QUICK)
    assert began_late > 3


def test_it_begins_at_the_place_that_differs():
    subject, graph = opened("digits-cnn")
    models = [
        prepare(Analysed(subject, graph), Recipe(channels={part: 0.5})).model for part in ("conv1", "conv3")
    ]
    dense = prepare(Analysed(subject, graph), Recipe()).model
    names = [node.name for node in dense.graph.nodes]
    assert first_difference(dense, dense) == len(names)
    assert [names[first_difference(dense, model)] for model in models] == ["conv1", "conv3"]


def test_only_what_lies_behind_runs_again():
    subject, graph = opened("digits-cnn")
    trail, dense, inputs = (
        Trail(MANY),
        prepare(Analysed(subject, graph), Recipe()).model,
        torch.randn(8, 1, 8, 8),
    )
    layers = ["conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "fc"]
    for ratio, runs in ((0.25, layers), (0.5, layers[4:])):
        model = prepare(Analysed(subject, graph), Recipe(channels={"conv3": ratio})).model
        forward = resumed(trail, model, dense, graph)
        ran: list[str] = []
        for layer in layers:
            model.get_submodule(layer).register_forward_hook(
                lambda *_, layer=layer, ran=ran: ran.append(layer)
            )
        with torch.inference_mode():
            found = forward(0, 8, lambda: inputs)
            assert ran == runs
            assert torch.equal(found, model(inputs))


def test_another_early_layer_is_not_taken_for_the_same():
    """The negative control: what was kept behind an earlier change is let go."""
    subject, graph = opened("digits-cnn")
    trail = Trail(MANY)
    for recipe in (Recipe(channels={"conv3": 0.5}), Recipe(channels={"conv3": 0.6})):
        list(stream(Analysed(subject, graph), recipe, QUICK, trail=trail))
    assert trail.kept
    dense = prepare(Analysed(subject, graph), Recipe()).model
    assert (
        resumed(trail, prepare(Analysed(subject, graph), Recipe(channels={"conv1": 0.5})).model, dense, graph)
        is None
    )
    assert not trail.kept and trail.bytes == 0


def test_no_more_than_the_budget_is_kept_and_the_rest_runs_whole():
    subject, graph = opened("digits-cnn")
    recipe = Recipe(channels={"conv3": 0.5})
    roomy, tight = Trail(MANY), Trail(128 * 32 * 16 * 4 + 1)
    for trail in (roomy, tight):
        found = outcome(stream(Analysed(subject, graph), recipe, QUICK, trail=trail))
        assert found == prune(Analysed(subject, graph), recipe, QUICK)
    assert len(roomy.kept) == 2 and 0 < roomy.bytes == sum(
        v.nbytes for _, values in roomy.kept.values() for v in values
    )
    assert len(tight.kept) < 2 and tight.bytes <= tight.max_bytes


def test_who_takes_the_trail_over_does_not_mix_with_who_had_it():
    subject, graph = opened("digits-cnn")
    trail, recipes = Trail(MANY), [Recipe(channels={"conv3": ratio}) for ratio in (0.25, 0.5)]
    first, second = (stream(Analysed(subject, graph), recipe, QUICK, trail=trail) for recipe in recipes)
    next(first), next(second)
    for steps, recipe in ((first, recipes[0]), (second, recipes[1])):
        found = outcome(steps)
        assert found == prune(Analysed(subject, graph), recipe, QUICK)


def test_the_last_trail_is_kept_under_its_name_and_can_be_freed():
    trail = kept_activations.trail_for("a", "cpu")
    assert kept_activations.trail_for("a", "cpu") is trail and trail.max_bytes == 256 * 2**20
    kept_activations._trails.clear()
    assert kept_activations.trail_for("a", "cpu") is not trail
