"""The whole app with a model whose task is no classification: no page fails, and the metric has its name."""

import re
from dataclasses import replace

import pytest
import torch
from apps import charts, fine, html_of, opened, sent, turned_to, until, words

from explorer.loaders.model_text import load
from explorer.machine import paths
from explorer.ui.shared import settings
from explorer.values.recipe import Recipe
from explorer.values.subject import Task

CHANGE = re.compile(r"([\d.e-]+) before, ([\d.e-]+) now")
PAGES = sorted(path.stem for path in paths.pages().glob("[!_]*.py"))


def angles():
    """digits-cnn as a regressor of its own scores, which are halved so that it is not perfect."""
    subject = load("digits-cnn")
    inputs = subject.task.normalisation(subject.task.split("tuning").inputs)
    with torch.inference_mode():
        targets = subject.model(inputs) / 2
    task = Task(
        "angles", data={"tuning": (inputs, targets), "training": (inputs, targets)}, metric=("mae", "r2")
    )
    return replace(subject, id="angles", name="angles", task=task)


@pytest.fixture(scope="module", autouse=True)
def offered(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNING_EXPLORER_CACHE", str(tmp_path_factory.mktemp("cache")))
        before, model = settings.current(), angles()
        settings.configure(settings.Settings(("angles",), "cpu", lambda name: model))
        yield
        settings.configure(before)


def test_every_page_works_and_says_what_is_measured():
    app = opened(recipe=Recipe(channels={"conv1": 0.5}))
    assert "Mean absolute error" in str(sent(app)["cards"])  # also before any number is there
    app = until(app, lambda app: "lower is better" in str(sent(app)["cards"]))
    assert "how much worse may the mean absolute error get? (%)" in str(
        [field.label for field in app.number_input]
    )
    assert "lower is better" in str(sent(app)["cards"]) and "R²" in str(sent(app)["cards"])
    for page in PAGES:
        turned_to(app, page)
        assert not app.error, (page, words(app))
    fine(app)


def test_behaviour_shows_which_numbers_lose_and_which_samples():
    app = opened("behaviour", recipe=Recipe(channels={"conv1": 0.5}), model="angles")
    app = until(app, "answered by both models")
    shown = {metric.label: metric.value for metric in app.metric}
    assert set(shown) == {"Mean absolute error", "Predicted numbers hurt", "Samples that changed"}
    assert shown["Predicted numbers hurt"].endswith("of 10") and shown["Samples that changed"] == "450"
    figure = charts(app)["Mean absolute error in each group, before and after"]
    assert {"before", "after"} <= {trace.get("name") for trace in figure["data"]}
    worse = CHANGE.findall(html_of(app))
    assert len(worse) == 12 and all(float(after) > float(before) for before, after in worse)
    assert html_of(app).count("data:image/png") == 12 and html_of(app).count("truth: ") == 12
    app.button_group(key="samples shown").set_value("better").run()
    better = CHANGE.findall(html_of(app))
    assert 0 < len(better) < 12 and all(float(after) < float(before) for before, after in better)
    fine(app)
