"""The texts in which a neuron is most active: against a plain loop, padding, refusals, and their text."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from explorer.errors import ExplorerError
from explorer.graph.analysed import analyse
from explorer.inspection import top_contexts as contexts
from explorer.inspection.top_contexts import KEPT, contexts_of, reader_of, top_contexts
from explorer.loaders.model_text import load
from explorer.metrics.checks import IGNORED
from explorer.values.progress import outcome, values_of
from explorer.values.samples import Split
from explorer.values.subject import Task

NEURONS = "layers.0.mlp.gate_proj"


def with_split(subject, split: Split):
    task = Task("texts", (128,), load_split=lambda name: split, vocabulary=768, text=subject.text)
    return replace(subject, task=task)


@pytest.fixture(scope="module")
def subject():
    """The first layer of `code-lm` on twenty windows."""
    whole = load("code-lm")
    network = deepcopy(whole.model)
    network.layers = network.layers[:1]
    split = whole.task.split("tuning").first(20)
    return replace(with_split(whole, split), id="first layer on twenty windows", model=network)


@pytest.fixture(scope="module")
def model(subject):
    return analyse(subject)


@pytest.fixture(scope="module")
def activations(subject):
    """(windows, tokens, neurons) of a plain pass."""
    network, seen = subject.model, []
    handle = network.layers[0].mlp.down_proj.register_forward_pre_hook(
        lambda module, args: seen.append(args[0])
    )
    try:
        with torch.no_grad():
            network(subject.task.split("tuning").inputs)
    finally:
        handle.remove()
    return seen[0]


def test_contexts_are_those_of_a_plain_loop(model, activations):
    group, split = model.profile.free_groups[NEURONS], model.subject.task.split("tuning")
    top = outcome(top_contexts(model, group))
    assert top.finished and (top.windows, top.positions, top.reader) == (20, 2560, "layers.0.mlp.down_proj")
    for unit in (0, 7, 351):
        best = []
        for window in range(20):
            place = max(range(128), key=lambda t: abs(float(activations[window, t, unit])))
            best.append((abs(float(activations[window, place, unit])), window, place))
        best.sort(reverse=True)
        shown = contexts_of(top, unit, split, model.subject.text)
        assert [(c.window, c.position) for c in shown] == [(w, p) for _, w, p in best[:KEPT]]
        for context in shown:
            assert context.value == pytest.approx(
                float(activations[context.window, context.position, unit]), abs=1e-5
            )
            token = int(split.inputs[context.window, context.position])
            assert context.token == model.subject.text.decode([token])


def test_the_text_around_a_token_is_that_of_its_window(model):
    group, split, form = (
        model.profile.free_groups[NEURONS],
        model.subject.task.split("tuning"),
        model.subject.text,
    )
    top = outcome(top_contexts(model, group))
    for context in contexts_of(top, 3, split, form):
        tokens = [t for t in split.inputs[context.window].tolist() if t not in form.start]
        assert context.before + context.token + context.after in form.decode(tokens)


def test_first_contexts_come_after_the_first_batch(model):
    steps = list(values_of(top_contexts(model, model.profile.free_groups[NEURONS])))
    assert [step.windows for step in steps] == [8, 16, 20] and not steps[0].finished
    assert steps[0].values.shape == (352, 8)


def test_what_fills_a_window_behind_its_text_does_not_count(subject):
    split = subject.task.split("tuning")
    inputs, answers = split.inputs[:2].clone(), split.targets[0][:2].clone()
    inputs[0, 40:], answers[0, 40:] = 0, IGNORED
    short = with_split(subject, Split(inputs, (answers, split.targets[1][:2])))
    model = analyse(replace(short, id="a short text"))
    top = outcome(top_contexts(model, model.profile.free_groups[NEURONS]))
    assert top.positions == 40 + 128
    assert int(top.places[top.numbers == 0].max()) < 40


def test_an_overlap_with_an_earlier_window_counts(subject):
    """Tokens that an earlier window asks for are text all the same."""
    split = subject.task.split("tuning")
    answers = split.targets[0][:1].clone()
    answers[0, :60] = IGNORED
    own = with_split(subject, Split(split.inputs[:1], (answers, split.targets[1][:1])))
    model = analyse(replace(own, id="an overlap"))
    assert outcome(top_contexts(model, model.profile.free_groups[NEURONS])).positions == 128


def test_not_more_windows_than_said_are_looked_at(model, monkeypatch):
    monkeypatch.setattr(contexts, "WINDOWS", 5)
    top = outcome(top_contexts(model, model.profile.free_groups[NEURONS]))
    assert (top.windows, top.total) == (5, 5) and top.values.shape[1] == 5


def test_a_silent_neuron_has_no_contexts(subject):
    network = deepcopy(subject.model)
    with torch.no_grad():
        network.layers[0].mlp.up_proj.weight[4] = 0
    model = analyse(replace(subject, id="a silent neuron", model=network))
    top = outcome(top_contexts(model, model.profile.free_groups[NEURONS]))
    split, form = subject.task.split("tuning"), subject.text
    assert contexts_of(top, 4, split, form) == () and contexts_of(top, 5, split, form)


def test_heads_and_models_without_text_are_refused(model):
    heads = next(group for group in model.profile.free_groups.values() if group.is_of_heads)
    assert reader_of(model.profile, heads) is None
    with pytest.raises(ExplorerError, match="choose neurons"):
        outcome(top_contexts(model, heads))
    mute = replace(model, subject=replace(model.subject, text=None))
    with pytest.raises(ExplorerError, match="came without text"):
        outcome(top_contexts(mute, model.profile.free_groups[NEURONS]))
