"""Where heads look in a text: the text as tokens, windows that are not full, refusals, and the figure."""

from dataclasses import replace

import pytest
import torch

from explorer.errors import ExplorerError
from explorer.figures.attention_map import SHOWN, attention_map
from explorer.figures.style import NOTHING
from explorer.graph.analysed import analyse
from explorer.inspection.attention import attention, attention_sites
from explorer.inspection.text_attention import text_attention, tokens_of_text, tokens_of_window
from explorer.loaders.model_text import load
from explorer.metrics.checks import IGNORED
from explorer.values.progress import outcome
from explorer.values.samples import Split
from explorer.values.subject import Task
from explorer.values.text import TextForm

TEXT = "def load(self, path):\n    return path"


@pytest.fixture(scope="module")
def model():
    return analyse(load("code-lm"))


def heads_of(model):
    return next(group for group in model.profile.free_groups.values() if group.is_of_heads)


def test_a_text_of_ones_own_is_read_from_its_first_token_on(model):
    tokens, form = tokens_of_text(model.subject, TEXT), model.subject.text
    assert tokens[:1] == form.start and form.decode(tokens[1:]) == TEXT
    looks = outcome(text_attention(model, heads_of(model), "layers.0.attention", tokens))
    assert looks.heads.shape == (8, len(tokens), len(tokens)) and looks.units == (0, 0, 1, 1, 2, 2, 3, 3)
    assert torch.allclose(looks.heads.sum(-1), torch.ones(8, len(tokens)), atol=1e-5)
    (site,) = attention_sites(model, heads_of(model))
    filled = torch.tensor([[*tokens, *[7] * (128 - len(tokens))]])
    assert torch.equal(looks.heads, attention(model, site, filled)[0][:, : len(tokens), : len(tokens)])


def test_a_long_text_is_cut_to_a_window(model):
    assert len(tokens_of_text(model.subject, TEXT * 50)) == 128


def test_a_window_is_shown_without_what_fills_it(model):
    split, subject = model.subject.task.split("tuning"), model.subject
    assert tokens_of_window(subject, 3) == tuple(split.inputs[3].tolist())
    answers = split.targets[0][:1].clone()
    answers[0, 30:] = IGNORED
    short = Split(split.inputs[:1], (answers, split.targets[1][:1]))
    task = Task("t", (128,), load_split=lambda name: short, vocabulary=768, text=subject.text)
    assert tokens_of_window(replace(subject, task=task), 0) == tuple(split.inputs[0, :30].tolist())


def test_a_model_of_whole_windows_says_how_long_a_text_must_be(model):
    form = TextForm(
        lambda text: ([ord(c) for c in text], [1] * len(text)), str, "masked", 128, before=(1,), after=(2,)
    )
    masked = replace(model.subject, text=form)
    tokens = tokens_of_text(masked, "x" * 130)
    assert (len(tokens), tokens[0], tokens[-1]) == (128, 1, 2)
    with pytest.raises(ExplorerError, match="windows of 126 tokens, and this text has 3"):
        tokens_of_text(masked, "xxx")


def test_what_cannot_be_shown_is_refused_in_one_sentence(model):
    with pytest.raises(ExplorerError, match="at least one character"):
        tokens_of_text(model.subject, "")
    with pytest.raises(ExplorerError, match="no text with the number"):
        tokens_of_window(model.subject, 10**6)
    with pytest.raises(ExplorerError, match="reads no single text"):
        tokens_of_text(replace(model.subject, text=None), "a")
    with pytest.raises(ExplorerError, match="cannot be shown"):
        outcome(text_attention(model, heads_of(model), "layers.1.mlp", (1, 2)))


def test_the_figure_names_tokens_and_escapes_them():
    names = ["<b>", "\n", " if", "\0"]
    drawn = attention_map(torch.eye(4), names, 2)
    assert drawn.layout.xaxis.ticktext == ("&lt;b&gt;", "⏎", "·if", "□")
    assert drawn.layout.yaxis.autorange == "reversed" and "<b>" not in drawn.to_json()
    assert drawn.layout.title.text == "Where head 2 looks" and drawn.data[0].zmin == 0


def test_a_long_text_is_shown_in_part_and_no_text_says_so():
    drawn = attention_map(torch.eye(SHOWN + 9), ["a"] * (SHOWN + 9), 0)
    assert drawn.data[0].z.shape == (SHOWN, SHOWN) and len(drawn.layout.xaxis.ticktext) == SHOWN
    assert attention_map(None, [], 0).layout.annotations[0].text == NOTHING
