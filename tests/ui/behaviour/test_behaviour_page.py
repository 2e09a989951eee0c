"""The Behaviour page, run as a user would see it, on a shipped model."""

import pytest
from apps import charts, html_of, offering, opened, until, words
from streamlit.testing.v1 import AppTest

from explorer.ui.behaviour import who_pays
from explorer.values.recipe import Recipe

RECIPE = Recipe(channels={"conv2": 0.5})


@pytest.fixture(autouse=True)
def offered():
    with offering("digits-cnn", "digits-mlp"):
        yield


def compared(recipe: Recipe | None = None) -> AppTest:
    return until(opened("behaviour", recipe, model="digits-cnn"), "answered by both models")


def test_a_cut_is_shown_with_its_victims():
    page = compared(RECIPE)
    shown = {metric.label: metric.value for metric in page.metric}
    assert set(shown) == {"Same answer", "Answers that flip", "Accuracy", "Classes hurt", "Calibration error"}
    assert int(shown["Answers that flip"]) > 0 and shown["Classes hurt"].endswith("of 10")
    found = charts(page)
    assert len(found) == 3 and "Accuracy of each class, before and after" in found
    names = [trace.get("name") for trace in found["Accuracy of each class, before and after"]["data"]]
    assert {"before", "after"} <= set(names)
    assert "data:image/png;base64," in html_of(page)


def test_the_dense_model_agrees_with_itself_and_says_what_to_do():
    page = compared()
    shown = {metric.label: metric.value for metric in page.metric}
    assert shown["Same answer"] == "100.0 %" and shown["Answers that flip"] == "0"
    assert who_pays.EMPTY in words(page)
    assert "data:image" not in html_of(page)


def test_the_sides_of_the_confusion_and_the_kinds_of_flips_can_be_chosen():
    page = compared(RECIPE)
    assert "Which confusions pruning adds, and which it removes" in charts(page)
    page.button_group(key="confusion side").set_value("after").run()
    assert "What the pruned model predicts for each class" in charts(page)
    before = html_of(page)
    page.button_group(key="flip kind").set_value("gained").run()
    assert html_of(page) != before and not page.exception
