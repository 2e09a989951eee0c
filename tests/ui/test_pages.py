"""Every page runs, and the Prune page does what its widgets say."""

import json
import time
from dataclasses import replace

import pytest
import safetensors.torch
from apps import sent, until
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Selectbox

from explorer.loaders.model_text import load
from explorer.machine import paths
from explorer.ui import server
from explorer.ui.shared import settings
from explorer.ui.sidebar import models_known
from explorer.values.choice import Choice
from explorer.values.recipe import Recipe

PAGES = sorted(path for path in paths.pages().glob("[!_]*.py"))


@pytest.fixture(autouse=True)
def offered(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNING_EXPLORER_CACHE", str(tmp_path))  # no scans and runs of other days
    before = settings.current()
    settings.configure(settings.Settings(("digits-cnn", "digits-mlp"), "cpu"))
    yield
    settings.configure(before)


def opened(**query: str) -> AppTest:
    app = AppTest.from_file(str(server.SCRIPT), default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    return fine(app.run())


def fine(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    return app


def address(app: AppTest) -> Recipe:
    found = app.query_params.get("recipe")
    return Recipe.from_url(found[0] if isinstance(found, list) else found) if found else Recipe()


def settled(app: AppTest) -> AppTest:
    """Run again until the measurement is final."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if "measured on the model that Take away" in sent(app)["status"]["words"]:
            return app
        time.sleep(0.1)
        fine(app.run())
    raise TimeoutError("The measurement did not become final within 60 s.")


def select(app: AppTest, label: str) -> Selectbox:
    (found,) = (box for box in app.selectbox if box.label == label)
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_each_page_runs_alone(path):
    assert not fine(AppTest.from_file(str(path), default_timeout=60).run()).error


def test_the_default_page_measures_the_dense_model():
    app = settled(opened())
    shown = sent(app)["cards"]
    assert shown["order"] == ["Accuracy", "Parameters", "File size", "MACs", "Latency"]
    card = json.loads((paths.sample_models() / "cards" / "digits-cnn.json").read_text(encoding="utf-8"))
    assert shown["Parameters"]["value"] == f"{card['params'] / 1000:.1f} k"
    assert any("Drag a fader up" in text.value for text in app.markdown)


def test_a_link_is_measured_and_stays_in_the_address():
    recipe = Recipe(channels={"conv1": 0.5})
    app = settled(opened(model="digits-cnn", recipe=recipe.to_url()))
    shown = sent(app)["cards"]
    assert shown["Accuracy"]["change"].endswith("points") and shown["Parameters"]["change"].startswith("-")
    assert address(app) == recipe


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"recipe": "mangled!"}, "The recipe in this link is damaged"),
        ({"recipe": Recipe(channels={"nowhere": 0.5}).to_url()}, "nowhere"),
        ({"recipe": Recipe(criterion=Choice("no_such")).to_url()}, "No criterion named"),
        ({"model": "../../etc/passwd"}, "No model on this server named"),
    ],
)
def test_a_bad_link_is_told_in_one_box(query, told):
    app = opened(**query)
    assert [told in error.value.replace("\\", "") for error in app.warning] == [True]
    assert address(app) == Recipe()
    app.button(key="dismiss").click()
    assert not fine(app.run()).error


def test_mode_criterion_and_options_change_the_recipe_and_undo_walks_back():
    app = opened()
    select(app, "Criterion").select("l2")
    fine(app.run())
    select(app, "Channels in multiples of").select(4)
    fine(app.run())
    assert address(app) == Recipe(criterion=Choice("l2"), round_to=4)
    app.button(key="undo").click()
    assert address(fine(app.run())) == Recipe(criterion=Choice("l2"))
    app.button(key="reset").click()
    assert address(fine(app.run())) == Recipe()
    app.button(key="undo").click()
    fine(app.run())
    app.button(key="redo").click()
    assert address(fine(app.run())) == Recipe()


def test_a_value_that_the_widget_did_not_choose_gets_a_fresh_widget():
    """Else a poll that is on its way brings the old value along, as if the user had picked it again."""
    app = opened()
    first = select(app, "Criterion")
    first.select("l2")
    second = select(fine(app.run()), "Criterion")
    assert second.key == first.key
    app.button(key="undo").click()
    third = select(fine(app.run()), "Criterion")
    assert third.key != second.key
    assert third.value == "l1"
    assert address(fine(app.run())) == Recipe()


def test_apply_sets_all_faders_of_the_mode():
    app = opened()
    app.slider(key="target").set_value(25)
    app.button(key="apply").click()
    assert address(fine(app.run())) == Recipe(channels={"conv1": 0.25, "conv2": 0.25, "conv3": 0.25})


def test_leaving_a_mode_takes_its_ratios_along():
    app = opened(recipe=Recipe(channels={"conv1": 0.5}, weights={"fc": 0.5}).to_url())
    (mode,) = (group for group in app.button_group if group.label == "What is removed")
    assert mode.value == "Combined"
    mode.set_value("Unstructured")
    assert address(fine(app.run())) == Recipe(weights={"fc": 0.5})


def test_each_model_keeps_its_own_recipe():
    app = opened(recipe=Recipe(channels={"conv1": 0.5}).to_url())
    select(app, "Model").select("digits-mlp")
    assert address(fine(app.run())) == Recipe()
    select(app, "Model").select("digits-cnn")
    assert address(fine(app.run())) == Recipe(channels={"conv1": 0.5})


def test_a_scan_on_request_feeds_the_allocator_that_plans_with_it():
    recipe = Recipe(criterion=Choice("l2"))  # a sample comes with scans of its own, but only by l1
    app = opened(model="digits-mlp", recipe=recipe.to_url())
    app.selectbox(key="allocator").select("sensitivity_budget")
    app.slider(key="target").set_value(30)
    app.button(key="apply").click()
    assert ["run the scan first" in error.value for error in fine(app.run()).warning] == [True]
    app.button(key="scan channels").click()
    until = time.monotonic() + 60
    while any(button.key == "scan channels" for button in fine(app.run()).button) or any(
        b.key == "stop scan" for b in app.button
    ):
        assert time.monotonic() < until
        time.sleep(0.1)
    app.button(key="apply").click()
    assert address(fine(app.run())).channels
    assert not app.error and not app.warning


def test_a_model_without_data_shows_everything_but_accuracy():
    settings.configure(
        settings.Settings(("bare",), "cpu", lambda name: replace(load("digits-mlp"), id="bare", task=None))
    )
    app = settled(opened(recipe=Recipe(weights={"hidden1": 0.5}).to_url()))
    shown = sent(app)["cards"]
    assert shown["Same answer as the dense model"]["value"].endswith(" %")
    assert shown["Parameters"]["value"].endswith("k")
    assert any("agreement with the dense model" in caption.value for caption in app.caption)
    words = until(app, lambda app: "Each point is measured, on all 128" in str(sent(app).get("curve")))
    assert words is not None
    assert not app.error and not app.warning


def weights_file(subject) -> bytes:
    return safetensors.torch.save(
        {name: tensor.clone() * 0.5 for name, tensor in subject.model.state_dict().items()}
    )


def test_uploaded_weights_become_a_model_of_this_session():
    app = opened(model="digits-mlp")
    app.file_uploader(key="upload").set_value(
        ("half.safetensors", weights_file(load("digits-mlp")), "application/octet-stream")
    )
    fine(app.run())
    assert not app.error and not app.warning
    box = select(app, "Model")
    assert box.value.startswith("upload:") and any(
        "digits-mlp (uploaded)" in option for option in box.options
    )
    other = opened(model=box.value)
    assert ["No model on this server" in error.value for error in other.warning] == [True]


def test_weights_of_another_model_are_refused_with_the_keys_that_differ():
    app = opened(model="digits-mlp")
    app.file_uploader(key="upload").set_value(
        ("cnn.safetensors", weights_file(load("digits-cnn")), "application/octet-stream")
    )
    fine(app.run())
    assert ["hidden1" in error.value for error in app.warning] == [True]
    assert select(app, "Model").value == "digits-mlp"


def test_a_snapshot_comes_back_and_b_waits_while_a_is_shown():
    first, second = (
        Recipe(channels={"conv1": 0.5}),
        Recipe(channels={"conv1": 0.25, "conv2": 0.25, "conv3": 0.25}),
    )
    app = opened(recipe=first.to_url())
    app.text_input(key="snapshot name").set_value("half")
    app.button(key="snapshot save").click()
    fine(app.run())
    (slots,) = (group for group in app.button_group if group.label == "A/B")
    slots.set_value("B")
    fine(app.run())
    app.slider(key="target").set_value(25)
    app.button(key="apply").click()
    assert address(fine(app.run())) == second
    (slots,) = (group for group in app.button_group if group.label == "A/B")
    slots.set_value("A")
    assert address(fine(app.run())) == first
    app.button(key="reset").click()
    fine(app.run())
    app.button(key="snapshot 0").click()
    assert address(fine(app.run())) == first


def test_the_table_shows_every_fader():
    app = opened(recipe=Recipe(channels={"conv1": 0.5}).to_url())
    app.toggle(key="table shown").set_value(True)
    fine(app.run())
    (frame,) = (table.value for table in app.dataframe if "bank" in table.value)
    assert dict(zip(frame["part"], frame["removed"], strict=True)) == {
        "conv1": 50,
        "conv2": 0,
        "conv3": 0,
        "fc": 0,
    }


def test_the_list_of_models_says_what_each_is_and_how_large():
    told = models_known.listed(["digits-cnn", "net.py:make"])
    assert "**digits-cnn**: Three convolutions" in told and "14.5 k parameters, 231 k multiply-adds" in told
    assert told.endswith(models_known.UNKNOWN)
