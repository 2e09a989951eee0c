"""The Behaviour page, run as a user would see it, on a shipped model."""

import json
import time

import pytest
from streamlit.testing.v1 import AppTest

from explorer import paths
from explorer.ui import settings
from explorer.values import Recipe

PAGE = paths.pages() / "behaviour.py"
RECIPE = Recipe(channels={"conv2": 0.5})


@pytest.fixture(autouse=True)
def offered():
    before = settings.current()
    settings.configure(settings.Settings(models=("digits-cnn", "digits-mlp"), device="cpu"))
    yield
    settings.configure(before)


def opened(recipe: Recipe | None = None, model: str = "digits-cnn") -> AppTest:
    page = AppTest.from_file(str(PAGE), default_timeout=60)
    page.query_params["model"] = model
    if recipe is not None:
        page.query_params["recipe"] = recipe.to_url()
    until = time.monotonic() + 60
    while time.monotonic() < until:
        page.run()
        assert not page.exception and not page.error
        if any("answered by both models" in caption.value for caption in page.caption):
            return page
        time.sleep(0.05)
    raise TimeoutError("The answers were not compared within 60 s.")


def charts(page: AppTest) -> dict[str, dict]:
    """Title -> figure."""
    specs = (json.loads(chart.proto.spec) for chart in page.get("plotly_chart"))
    return {spec["layout"]["title"]["text"]: spec for spec in specs}


def html_of(page: AppTest) -> str:
    return "".join(element.proto.body for element in page.get("html"))


def test_a_cut_is_shown_with_its_victims():
    page = opened(RECIPE)
    shown = {metric.label: metric.value for metric in page.metric}
    assert set(shown) == {"Same answer", "Answers that flip", "Accuracy", "Classes hurt", "Calibration error"}
    assert int(shown["Answers that flip"]) > 0 and shown["Classes hurt"].endswith("of 10")
    found = charts(page)
    assert len(found) == 3 and "Accuracy of each class, before and after" in found
    names = [trace.get("name") for trace in found["Accuracy of each class, before and after"]["data"]]
    assert {"before", "after"} <= set(names)
    assert "data:image/png;base64," in html_of(page)


def test_the_dense_model_agrees_with_itself_and_says_what_to_do():
    page = opened()
    shown = {metric.label: metric.value for metric in page.metric}
    assert shown["Same answer"] == "100.0 %" and shown["Answers that flip"] == "0"
    assert any("dense model" in info.value for info in page.info)
    assert "data:image" not in html_of(page)


def test_the_sides_of_the_confusion_and_the_kinds_of_flips_can_be_chosen():
    page = opened(RECIPE)
    assert "Which confusions the cut brings, and which it takes away" in charts(page)
    page.button_group(key="confusion side").set_value("after").run()
    assert "What the pruned model takes each class for" in charts(page)
    before = html_of(page)
    page.button_group(key="flip kind").set_value("gained").run()
    assert html_of(page) != before and not page.exception
