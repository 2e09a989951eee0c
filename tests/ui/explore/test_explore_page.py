"""The Explore page, run as a user would see it, on a shipped model."""

import json
from pathlib import Path

import pytest
from apps import charts, offering, opened, words
from streamlit.testing.v1 import AppTest

from explorer.machine import paths
from explorer.ui.explore import overview, weights
from explorer.values.recipe import Recipe

PAGE = paths.pages() / "explore.py"
MODEL = "digits-cnn"
RECIPE = Recipe(channels={"conv2": 0.5}, weights={"conv3": 0.9})


@pytest.fixture(autouse=True)
def one_model():
    with offering(MODEL, "digits-mlp"):
        yield


def visited(recipe: Recipe | None = None) -> AppTest:
    return opened("explore", recipe, model=MODEL)


def names(spec: dict) -> list[str]:
    return [trace.get("name") for trace in spec["data"]]


def test_the_page_shows_the_dense_model():
    page = visited()
    shown = {metric.label: metric.value for metric in page.metric}
    assert shown["Layers"] == "7" and shown["Parameters"] == "14.5 k" and shown["Coupled groups"] == "3"
    card = json.loads((paths.sample_models() / "cards" / f"{MODEL}.json").read_text(encoding="utf-8"))
    assert shown["Held-out accuracy"] == f"{card['held_out']['accuracy'] * 100:.1f} %"
    assert list(charts(page)) == [
        "How large the weights of each layer are",
        "Weights of conv1 by magnitude",
        "Magnitudes of the weights of conv1",
    ]
    assert all("removed" not in names(spec) for spec in charts(page).values())


def test_the_tables_have_a_row_for_each_layer_and_group():
    layers, groups = (frame.value for frame in visited().dataframe)
    assert list(layers["Layer"]) == ["conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "fc"]
    assert layers["Parameters"].sum() == 14_458
    assert list(groups["Coupled group"]) == ["conv1", "conv2", "conv3", "fc"]
    assert groups["Why it cannot be pruned"].notna().tolist() == [False, False, False, True]


def test_the_recipe_of_the_link_sets_thresholds_and_draws_what_is_left():
    found = names(charts(visited(RECIPE))["How large the weights of each layer are"])
    assert "largest weight removed" in found and "after" in found
    assert "after" not in names(charts(visited())["How large the weights of each layer are"])


def test_a_layer_can_be_seen_as_a_pattern_of_zeros_and_by_the_norms_of_its_filters():
    page = visited(RECIPE)
    page.selectbox(key="explore_layer").select("conv3").run()
    page.button_group(key="layer view").set_value("zeros").run()
    assert [title for title in charts(page) if title.startswith("Zeros of conv3")] and not page.exception
    assert any("of this layer is zero" in caption.value for caption in page.caption)
    page.button_group(key="layer view").set_value("norms").run()
    assert names(charts(page)["Norm of each filter of conv3"])[:2] == ["before", "after"]


def test_a_layer_can_be_chosen_and_seen_as_the_recipe_leaves_it():
    page = visited(RECIPE)
    page.selectbox(key="explore_layer").select("conv3").run()
    dense = charts(page)["Magnitudes of the weights of conv3"]
    assert names(charts(page)["Weights of conv3 by magnitude"]) == ["kept", "removed"]
    page.toggle(key="explore_pruned").set_value(True).run()
    pruned = charts(page)["Magnitudes of the weights of conv3"]
    assert dense["data"][0]["z"] != pruned["data"][0]["z"]
    assert not page.exception


def test_the_weights_of_a_deep_model_are_shown_by_kind_and_depth():
    with offering("code-lm"):
        page = opened("explore", Recipe(channels={"layers.2.mlp.gate_proj": 0.5}), model="code-lm")
    drawn = charts(page)["How large the weights of each kind are, from block to block"]
    kinds = [note["text"] for note in drawn["layout"]["annotations"]]
    assert kinds[:3] == ["norm1", "attention.q_proj", "attention.k_proj"] and len(kinds) == 9
    assert "Not among them: embedding, norm." in words(page)
    assert "after" in names(drawn) and not page.exception
    shown = charts(page)["How large the weights of each layer are"]
    assert "layers.0.norm1" not in json.dumps(shown)
    assert not any("depth" in header.value for header in visited().header)


def test_a_damaged_link_shows_the_dense_model():
    page = AppTest.from_file(str(PAGE), default_timeout=60)
    page.query_params["model"] = "digits-mlp"
    page.query_params["recipe"] = "broken"
    page.run()
    assert not page.exception and len(charts(page)) == 3
    assert any("How large" in title for title in charts(page))


def test_the_page_is_wiring_only():
    text = Path(PAGE).read_text(encoding="utf-8")
    assert "def " not in text and "torch" not in text and "session_state" not in text
    for module in (overview, weights):
        assert "session_state" not in Path(module.__file__).read_text(encoding="utf-8")
