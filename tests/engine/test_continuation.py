"""Two models continue a prompt: against a plain loop over each model alone, with planted differences."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from explorer.engine.candidate import prepare
from explorer.engine.continuation import Prompt, continuation, writes
from explorer.errors import ExplorerError
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.values.progress import outcome, values_of
from explorer.values.recipe import Recipe

PROMPT = Prompt("def load(self, path):\n", tokens=6, temperature=0)


@pytest.fixture(scope="module")
def model():
    """The first layer of `code-lm` with its table and its tokens: six times as quick as all of it."""
    subject = load("code-lm")
    network = deepcopy(subject.model)
    network.layers = network.layers[:1]
    return analyse(replace(subject, id="first layer of code-lm", model=network))


def half(model) -> Recipe:
    """The first part that can be cut, by one half."""
    return Recipe(channels={next(iter(model.profile.free_groups)): 0.5})


def alone(network, form, text: str, tokens: int) -> tuple[list[int], list[float]]:
    """Greedy tokens and their probabilities, without padding, one text at a time."""
    read, chances = [*form.start, *form.encode(text)[0]], []
    with torch.inference_mode():
        for _ in range(tokens):
            scores = network(torch.tensor([read]))[0, -1].double().softmax(-1)
            read.append(int(scores.argmax()))
            chances.append(float(scores.max()))
    return read, chances


def test_the_dense_text_is_that_of_a_plain_loop(model):
    form = model.subject.text
    read, chances = alone(model.subject.model, form, PROMPT.text, PROMPT.tokens)
    last = outcome(continuation(model, half(model), PROMPT))
    assert last.finished and PROMPT.text + last.dense.text == form.decode(read[len(form.start) :])
    assert last.dense.chances == pytest.approx(chances, rel=1e-4)


def test_other_probabilities_are_those_of_the_other_model_after_the_same_text(model):
    recipe, form = half(model), model.subject.text
    last = outcome(continuation(model, recipe, PROMPT))
    pruned = prepare(model, recipe).model
    window = model.subject.example.shape[1]
    start = [*form.start, *form.encode(PROMPT.text)[0]]
    read, _ = alone(model.subject.model, form, PROMPT.text, PROMPT.tokens)
    rows = torch.zeros(2, window, dtype=torch.int64)
    rows[:, : len(read)] = torch.tensor(read)
    with torch.inference_mode():
        after = pruned(rows)[0].double().softmax(-1)
    wanted = [float(after[at - 1, read[at]]) for at in range(len(start), len(read))]
    assert last.dense.others == pytest.approx(wanted, rel=1e-4)
    assert last.dense.others != pytest.approx(last.dense.chances, rel=1e-3)  # the cut changes something


def test_without_a_cut_both_write_the_same_with_any_random_numbers(model):
    for seed in (0, 1):
        last = outcome(continuation(model, Recipe(), replace(PROMPT, temperature=1.0, seed=seed)))
        assert last.dense == last.pruned and last.dense.chances == pytest.approx(last.dense.others)


def test_draws_are_repeatable_and_follow_the_seed(model):
    texts = [
        outcome(continuation(model, Recipe(), replace(PROMPT, temperature=1.0, seed=seed))).dense.text
        for seed in (3, 3, 4)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_it_grows_token_by_token(model):
    grown = list(values_of(continuation(model, Recipe(), PROMPT)))
    assert [len(one.dense.pieces) for one in grown] == list(range(1, PROMPT.tokens + 1))
    assert [one.finished for one in grown] == [False] * (PROMPT.tokens - 1) + [True]


def test_a_prompt_longer_than_the_window_is_read_from_its_end(model):
    long = replace(PROMPT, text="x = 1\n" * 400, tokens=1)
    assert outcome(continuation(model, Recipe(), long)).finished


def test_models_without_text_say_so():
    pictures = analyse(load("digits-cnn"))
    assert not writes(pictures.subject)
    with pytest.raises(ExplorerError, match="cannot continue a text"):
        outcome(continuation(pictures, Recipe(), PROMPT))
