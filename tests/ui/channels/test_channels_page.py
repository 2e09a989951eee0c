"""The Channels page, run as a user would see it, on shipped models."""

import time

import pytest
from apps import charts, html_of, offering, opened, turned_to, until, words
from streamlit.testing.v1 import AppTest

from explorer.inspection.top_contexts import Context
from explorer.ui.channels.importance import by_hand
from explorer.ui.channels.texts import listing
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


@pytest.fixture
def language_model():
    with offering("code-lm"):
        yield


@pytest.mark.usefixtures("language_model")
def test_the_texts_of_a_neuron_are_looked_for_on_request_and_another_neuron_needs_no_other_pass():
    page = visited(model="code-lm")
    page.selectbox(key="explore_group").select("layers.0.mlp.gate_proj").run()
    assert "Looked at" not in words(page)
    page.button(key="look for contexts").click().run()
    until(page, "Looked at 384 windows of the tuning split, 49,152 tokens")
    first = html_of(page)
    assert first.count("<mark>") == 8
    other = page.selectbox(key="context unit layers.0.mlp.gate_proj").options[1]
    page.selectbox(key="context unit layers.0.mlp.gate_proj").select(int(other)).run()
    assert "Looked at 384" in words(page) and html_of(page) != first and not page.exception


@pytest.mark.usefixtures("language_model")
def test_a_head_is_shown_on_a_window_of_the_data_and_on_a_text_of_ones_own():
    page = visited(Recipe(channels={"layers.1.attention.q_proj": 0.5}), "code-lm")
    page.selectbox(key="explore_group").select("layers.1.attention.q_proj").run()
    until(page, "the first 48 of 128 tokens")
    assert "Where head 0 looks" in charts(page)
    page.text_area(key="text of your own").set_value("def f(x):").run()
    until(page, lambda page: "def" in str(charts(page)))
    drawn = charts(page)["Where head 0 looks"]
    assert drawn["layout"]["xaxis"]["ticktext"][0] == "start"
    assert "".join(drawn["layout"]["xaxis"]["ticktext"][1:]) == "def·f(x):"
    page.selectbox(key="head of layers.1.attention.q_proj").select(7).run()
    until(page, lambda page: "Where head 7 looks" in charts(page))
    assert "Head 7 is in key-value head 3, which the recipe" in words(page)
    page.text_area(key="text of your own").set_value("").run()
    until(page, "the first 48 of 128 tokens")


def test_texts_are_escaped_and_what_is_not_seen_is_shown():
    shown = listing([Context(0, 3, -1.5, "<b>\n", "\0", "&")])
    assert "<b>-1.50</b><code>&lt;b&gt;⏎<mark>□</mark>&amp;</code>" in shown
