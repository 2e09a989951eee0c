"""What a language model writes after a text."""

import pytest
import torch

from explorer.inspection.continuation import Writing, continuation, probabilities_of
from explorer.loaders.model_text import load


@pytest.fixture(scope="module")
def code():
    subject = load("code-lm")
    return subject, [*subject.text.start, *subject.text.encode("import os\n\n\ndef ")[0]]


def plainly(model, tokens, count):
    """The most probable token again and again, each time from the whole text and without filling."""
    read = list(tokens)
    with torch.no_grad():
        for _ in range(count):
            read.append(int(model(torch.tensor([read]))[0, -1].argmax()))
    return read[len(tokens) :]


def test_the_most_probable_continuation_is_that_of_a_plain_loop(code):
    subject, tokens = code
    written = list(continuation(subject.model, tokens, Writing(32, count=12, temperature=0)))
    assert [one.token for one in written] == plainly(subject.model, tokens, 12)


def test_draws_depend_on_the_seed_alone(code):
    subject, tokens = code
    first, again, other = (
        [one.token for one in continuation(subject.model, tokens, Writing(32, 20, seed))]
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_a_text_longer_than_the_window_goes_on(code):
    subject, tokens = code
    assert len(list(continuation(subject.model, tokens * 4, Writing(16, count=6)))) == 6


def test_probabilities_are_those_of_the_scores(code):
    subject, tokens = code
    with torch.no_grad():
        scores = subject.model(torch.tensor([tokens])).double().softmax(2)[0]
    expected = [float(scores[k, token]) for k, token in enumerate(tokens[1:])]
    assert probabilities_of(subject.model, tokens, 32) == pytest.approx(expected, rel=1e-4)
