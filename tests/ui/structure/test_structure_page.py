"""The Structure page, run as a user would see it, on a shipped model."""

import pytest
from apps import offering, opened, until
from streamlit.testing.v1 import AppTest

from explorer.values.recipe import Recipe


@pytest.fixture(autouse=True)
def offered():
    with offering("shapes-resnet", "digits-cnn"):
        yield


def visited(recipe: Recipe | None = None, model: str = "shapes-resnet") -> AppTest:
    return opened("structure", recipe, model=model)


def dot(page: AppTest) -> str:
    (chart,) = page.get("graphviz_chart")
    return chart.proto.spec


def test_the_recipe_is_drawn():
    assert "8 of 16 channels" in dot(visited(Recipe(channels={"layer1.0.conv1": 0.5})))
    assert ' of 16 channels"' not in dot(visited())


def test_modules_can_be_folded():
    page = visited()
    assert '"layer1.0.conv1" [' in dot(page)
    page.multiselect[0].set_value(["layer2"]).run()
    assert '"layer1" [' in dot(page) and '"layer1.0.conv1" [' not in dot(page) and '"layer2.0" [' in dot(page)


def test_groups_are_explained():
    page = visited()
    box = page.selectbox(key="explained group")
    assert "13 coupled groups, 1 of them frozen" in box.label
    box.select("fc").run()
    assert any("Stays whole:" in text.value and "output of the model" in text.value for text in page.markdown)


def test_the_wiring_is_proven_on_request():
    page = visited(Recipe(channels={"conv2": 0.5}), "digits-cnn")
    assert not page.success
    (button,) = [
        button for button in page.button if button.label.startswith("Prove the wiring of this recipe")
    ]
    button.click().run()
    until(page, lambda page: page.success)
    assert page.success[0].value.startswith("Verified") and not page.exception
    rows = page.table[0].value.to_string()
    assert "below the 1e-08 allowed" in rows and "above the 1e-04 needed" in rows


def test_without_a_recipe_half_of_every_group_is_proven():
    assert any(
        button.label == "Prove the wiring of a cut of 50 % of every group" for button in visited().button
    )


def test_the_table_of_groups_has_each_reason_whole():
    groups = visited().table[-1].value
    assert groups.iloc[0, 2].startswith("added together in layer1.0; added together in layer1.1; ")
    assert groups.iloc[-1, 2] == r"stays whole\: is an output of the model"


def test_many_layers_of_a_group_are_said_short_and_whole_once_opened():
    page = visited()
    assert page.table[-1].value.iloc[0, 3].endswith("layer1.1.conv1 and 7 more")
    (opens,) = [box for box in page.expander if box.label.startswith("All ")]
    (short,) = [text.value for text in page.caption if text.value.startswith("Touches")]
    assert opens.label == "All 13 layers" and "layer1.2.bn2" in opens.caption[0].value
    assert short.endswith("and 7 more.") and "layer1.2.bn2" not in short
    page.selectbox(key="explained group").select("layer1.0.conv1").run()
    assert not [box for box in page.expander if box.label.startswith("All ")]  # few layers are all said
