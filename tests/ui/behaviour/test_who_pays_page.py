"""The Behaviour page with tasks that are no classification: tokens with their texts, masks over pictures."""

from dataclasses import replace

import numpy as np
import pytest
from apps import charts, fine, html_of, opened, until

from explorer.loaders.model_text import load
from explorer.ui.shared import settings
from explorer.values.recipe import Recipe
from explorer.values.text import TextForm

FILE = """
import explorer
import torch
from torch import nn

def tokens():
    model = nn.Sequential(nn.Embedding(20, 8), nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 20))
    model.example_input = torch.randint(0, 20, (2, 6))
    return model

def rooms():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
    model.input_shape = (6,)
    return model

def show(sample, answer):
    inputs, price = sample
    if answer is None:
        return torch.stack([inputs, inputs])
    return f"<b>{answer.item():.2f} for {price.item():.2f}"

def task():
    rows = torch.rand(60, 6, generator=torch.Generator().manual_seed(0))
    error = explorer.Metric.mean("off", lambda o, t: (o - t).abs().flatten(), better="lower")
    return explorer.Task("rooms", data=(rows, rows.sum(1, keepdim=True)), metric=error, show=show)

def squares():
    rows = torch.rand(60, 6, generator=torch.Generator().manual_seed(0))
    error = explorer.Metric.mean("squared", lambda o, t: (o - t).square().flatten(), better="lower")
    return explorer.Task("rooms", data=(rows, rows.sum(1, keepdim=True)), metric=error)

def masks():
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1))
    model.input_shape = (1, 8, 8)
    return model
"""
LETTERS = "abcdefghijklmnopqrst"


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """A name of a model of the file -> the page with a cut of its layer "1" or "0"."""
    monkeypatch.setenv("PRUNING_EXPLORER_CACHE", str(tmp_path / "cache"))
    (tmp_path / "net.py").write_text(FILE)
    chance, before = np.random.default_rng(0), settings.current()
    words = chance.integers(0, 20, (60, 7))
    np.savez(tmp_path / "tokens.npz", inputs=words[:, :-1], targets=words[:, 1:])
    pictures = chance.random((60, 1, 8, 8), np.float32)
    np.savez(tmp_path / "masks.npz", inputs=pictures, targets=(3 * pictures[:, 0]).astype(np.int64))

    def drawn(name):
        subject = load(f"{tmp_path}/net.py:{name}", data=f"npz:{tmp_path}/{name}.npz")
        spelled = TextForm(
            lambda text: ([], []), lambda tokens: "".join(LETTERS[t] for t in tokens), "next", 20
        )
        subject = replace(subject, name=name, text=spelled if name == "tokens" else None)
        settings.configure(settings.Settings((name,), "cpu", lambda name: subject))
        recipe = Recipe(weights={"1" if name == "tokens" else "0": 0.5})
        return until(opened("behaviour", recipe, model=name), "answered by both models"), subject

    yield drawn
    settings.configure(before)


def test_tokens_are_grouped_in_two_ways_and_windows_are_spelled(measured):
    app, subject = measured("tokens")
    assert {"Perplexity", "Positions hurt", "Token frequencies hurt"} <= {m.label for m in app.metric}
    (table,) = app.dataframe
    first = table.value.iloc[0]
    tokens = subject.task.split("tuning").inputs_at(int(first["sample"]), int(first["sample"]) + 1)[0]
    assert first["text"] == "".join(LETTERS[token] for token in tokens.tolist())
    figure = "Perplexity in each group, before and after"
    places = charts(app)[figure]["data"][0]["y"]
    app.button_group(key="groups shown").set_value("Token frequencies").run()
    assert charts(app)[figure]["data"][0]["y"] != places
    fine(app)


def test_masks_are_drawn_over_their_pictures(measured):
    app, _ = measured("masks")
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Classes of pixels hurt"].endswith("of 3")
    assert "IoU in each group, before and after" in charts(app)
    assert html_of(app).count("data:image/png") == 12 and "--aspect: 3" in html_of(app)
    fine(app)


@pytest.fixture
def offered(tmp_path, monkeypatch):
    """A task of the file, or none -> the name of the model of rooms, which the page then offers."""
    monkeypatch.setenv("PRUNING_EXPLORER_CACHE", str(tmp_path / "cache"))
    (tmp_path / "net.py").write_text(FILE)
    before = settings.current()

    def offer(task):
        spec = task and f"{tmp_path}/net.py:{task}"
        name = f"rooms with {task}"
        subject = replace(load(f"{tmp_path}/net.py:rooms", task=spec), name=name)
        settings.configure(settings.Settings((name,), "cpu", lambda name: subject))
        return name

    yield offer
    settings.configure(before)


def test_the_task_of_the_user_says_what_is_shown(offered):
    recipe, model = Recipe(weights={"0": 0.7}), offered("task")
    app = until(opened("behaviour", recipe, model=model), "answered by both models")
    assert {"Off", "Ranges of the target hurt"} <= {metric.label for metric in app.metric}
    shown = html_of(app)
    worse = int(next(c.value for c in app.caption if " worse" in c.value).split()[0])
    assert shown.count("data:image/png") == min(worse, 12) and shown.count("&lt;b&gt;") == 2 * min(worse, 12)
    fine(app)
    app = opened("channels", recipe, model=model)
    assert "data:image/png" in html_of(app)
    fine(app)


def test_a_model_without_data_is_compared_with_the_dense_one(offered):
    app = opened("behaviour", Recipe(weights={"0": 0.6}), model=offered(None))
    app = until(app, "They are random inputs")
    assert "came without data" in " ".join(info.value for info in app.info)
    assert "Cosine similarity to the dense model" in {metric.label for metric in app.metric}
    assert 0 < len(app.dataframe[0].value) <= 12
    assert "not divided into groups" in str([caption.value for caption in app.caption])
    assert charts(app) == {}
    fine(app)


def test_numbers_of_another_metric_are_not_those_of_this_one(offered):
    recipe, shown = Recipe(weights={"0": 0.6}), []
    for task in ("task", "squares"):
        name = offered(task)
        shown.append(settings.current().load(name))
        app = until(opened("behaviour", recipe, model=name), "answered by both models")
        labels = {metric.label for metric in app.metric}
        assert {"Off", "Squared"} & labels == {"Off" if task == "task" else "Squared"}
        fine(app)
    assert shown[0].id == shown[1].id  # the same model, asked another question
