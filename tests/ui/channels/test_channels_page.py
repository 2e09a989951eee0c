"""The Channels page, run as a user would see it, on shipped models."""

import time

import pytest
from apps import charts, html_of, offering, opened, turned_to, words
from streamlit.testing.v1 import AppTest

from explorer.ui.channels.importance import by_hand
from explorer.values.recipe import Recipe


@pytest.fixture(autouse=True)
def offered():
    with offering("digits-cnn", "shapes-vit"):
        yield


def visited(recipe: Recipe | None = None, model: str = "digits-cnn") -> AppTest:
    return opened("channels", recipe, model=model)


def chart(page: AppTest) -> dict:
    (found,) = charts(page).values()
    return found


def test_the_recipe_cuts_the_bars_and_crosses_out_pictures():
    page = visited(Recipe(channels={"conv2": 0.5}))
    assert chart(page)["layout"]["title"]["text"] == "How much each channel of conv1 matters"
    assert html_of(page).count('class="frame crossed"') == 0
    page.selectbox(key="explore_group").select("conv2").run()
    assert [trace["name"] for trace in chart(page)["data"]] == ["kept", "removed"] and len(
        chart(page)["layout"]["shapes"]
    ) == 1
    assert html_of(page).count('class="frame crossed"') == 16


def test_filters_and_maps_of_the_first_layer_are_shown():
    page = visited()
    headers = [header.value for header in page.header]
    assert headers == [
        "Channels that could go first",
        "Filters",
        "What each channel responds to in one sample",
    ]
    assert html_of(page).count("data:image/png") == 16 + 1 + 16
    page.selectbox(key="explore_group").select("conv3").run()
    assert "Filters" not in [header.value for header in page.header]


def test_channels_are_kept_and_removed_by_hand_and_it_can_be_undone():
    page = visited()
    assert all(
        button.disabled
        for button in page.button
        if button.key in ("keep channels", "remove channels", "free channels")
    )
    page.multiselect(key="chosen conv1").set_value([3, 5]).run()
    page.button(key="remove channels").click().run()
    assert "Removed by hand: 3, 5." in words(page) and html_of(page).count('class="frame crossed"') == 4
    page.multiselect(key="chosen conv1").set_value([5]).run()
    page.button(key="keep channels").click().run()
    assert "Kept by hand: 5. Removed by hand: 3." in words(page)
    page.button(key="free channels").click().run()
    assert "Kept by hand: none. Removed by hand: 3." in words(page) and not page.exception


def test_a_decision_is_in_the_address():
    page = turned_to(opened(), "channels")
    page.multiselect(key="chosen conv1").set_value([3]).run()
    page.button(key="remove channels").click().run()
    found = page.query_params["recipe"]
    assert Recipe.from_url(found[0] if isinstance(found, list) else found) == Recipe(remove={"conv1": (3,)})


def test_by_hand_moves_a_unit_between_the_lists():
    recipe = by_hand(Recipe(keep={"a": (1, 2)}, remove={"b": (0,)}), "a", [2, 3], "remove")
    assert (recipe.keep, recipe.remove) == ({"a": (1,)}, {"a": (2, 3), "b": (0,)})
    assert by_hand(recipe, "a", [1, 2, 3], "free") == Recipe(remove={"b": (0,)})


def test_idle_channels_are_looked_for_on_request():
    page = visited()
    assert "never active" not in words(page)
    page.button(key="look for idle").click().run()
    until = time.monotonic() + 60
    while "never active in conv1" not in words(page) and time.monotonic() < until:
        time.sleep(0.1)
        page.run()
    assert "On the first 897 training samples, never active in conv1" in words(page) and not page.exception


def test_twins_follow_the_threshold_and_can_be_removed():
    page = visited()
    page.slider(key="alike").set_value(0.5).run()
    assert " pairs: " in words(page)
    page.button(key="remove twins").click().run()
    assert "Removed by hand: none" not in words(page) and not page.exception


def test_heads_are_looked_at():
    page = visited(Recipe(channels={"layers.1.attention.qkv": 0.5}), "shapes-vit")
    page.selectbox(key="explore_group").select("layers.1.attention.qkv").run()
    assert (
        "head 3" in html_of(page) and html_of(page).count('class="frame crossed"') == 2 and not page.exception
    )
    page.selectbox(key="explore_group").select("layers.1.fc1").run()
    assert "has no feature maps" in words(page) and not page.exception
