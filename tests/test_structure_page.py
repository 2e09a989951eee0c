"""The Structure page, run as a user would see it, on a shipped model."""

import time

import pytest
from streamlit.testing.v1 import AppTest

from explorer import paths
from explorer.ui import settings
from explorer.values import Recipe

PAGE = paths.pages() / "structure.py"


@pytest.fixture(autouse=True)
def offered():
    before = settings.current()
    settings.configure(settings.Settings(models=("shapes-resnet", "digits-cnn"), device="cpu"))
    yield
    settings.configure(before)


def opened(recipe: Recipe | None = None, model: str = "shapes-resnet") -> AppTest:
    page = AppTest.from_file(str(PAGE), default_timeout=60)
    page.query_params["model"] = model
    if recipe is not None:
        page.query_params["recipe"] = recipe.to_url()
    page.run()
    assert not page.exception and not page.error
    return page


def dot(page: AppTest) -> str:
    (chart,) = page.get("graphviz_chart")
    return chart.proto.spec


def test_the_recipe_is_drawn():
    assert "8 of 16 channels" in dot(opened(Recipe(channels={"layer1.0.conv1": 0.5})))
    assert " of 16 channels\"" not in dot(opened())


def test_modules_can_be_folded():
    page = opened()
    assert '"layer1.0.conv1" [' in dot(page)
    page.multiselect[0].set_value(["layer2"]).run()
    assert '"layer1" [' in dot(page) and '"layer1.0.conv1" [' not in dot(page) and '"layer2.0" [' in dot(page)


def test_groups_are_explained():
    page = opened()
    box = page.selectbox(key="explained group")
    assert "13 coupled groups, 1 of them frozen" in box.label
    box.select("fc").run()
    assert any("Stays whole:" in text.value and "output of the model" in text.value for text in page.markdown)


def test_the_wiring_is_proven_on_request():
    page = opened(Recipe(channels={"conv2": 0.5}), "digits-cnn")
    assert not page.success
    (button,) = [button for button in page.button if button.label.startswith("Prove the wiring of this recipe")]
    button.click().run()
    until = time.monotonic() + 60
    while not page.success and time.monotonic() < until:
        time.sleep(0.1)
        page.run()
    assert page.success[0].value.startswith("Verified") and not page.exception
    rows = page.table[0].value.to_string()
    assert "below the 1e-08 allowed" in rows and "above the 1e-04 needed" in rows


def test_without_a_recipe_half_of_every_group_is_proven():
    assert any(button.label == "Prove the wiring of a cut of 50 % of every group" for button in opened().button)
