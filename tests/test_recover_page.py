"""The Recover page under AppTest: what it says first, a training from start to download, stopping and going on."""


import pytest
from apps import fine, offering, opened, turned_to, until, words
from streamlit.testing.v1 import AppTest

from explorer import paths
from explorer.ui import recover, recovery_plan, resources
from explorer.values import Recipe

RECIPE = Recipe(channels={"conv1": 0.5, "conv2": 0.5})


@pytest.fixture(autouse=True)
def offered(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path))
    with offering("digits-cnn", "digits-mlp"):
        yield
    resources.lanes().cancel("no browser", "recovery")
    resources.lanes().release("no browser")


def visited(recipe: Recipe = RECIPE, model: str = "digits-cnn") -> AppTest:
    return turned_to(opened(recipe=recipe, model=model), "recover")


def number(app: AppTest, label: str):
    (found,) = (field for field in app.number_input if field.label == label)
    return found


def choose(app: AppTest, label: str, option) -> AppTest:
    (found,) = (box for box in app.selectbox if box.label == label)
    found.select(option)
    return fine(app.run())


def test_the_dense_model_has_nothing_to_win_back():
    app = visited(Recipe())
    assert [info.value for info in app.info] == [recover.EMPTY]
    assert not [button for button in app.button if button.key == "start recovery"]


def test_the_plan_and_its_cost_stand_before_the_start():
    app = visited()
    assert "Cost: 10 epochs, 8,960 samples in all." in words(app)  # of 897 digits, 14 batches of 64 an epoch
    assert app.button(key="start recovery").label == "Start"
    number(app, "Epochs").set_value(2)
    assert "Cost: 2 epochs" in words(fine(app.run()))
    app.button(key="estimate recovery").click()
    fine(app.run())
    until(app, "an estimate from 10 batches")


def test_a_training_runs_to_its_downloads():
    app = visited()
    number(app, "Epochs").set_value(2)
    fine(app.run())
    app.button(key="start recovery").click()
    fine(app.run())
    until(app, lambda app: "fine-tuned, seed 0" in words(app) and app.get("download_button"))
    shown = words(app)
    assert "one-shot: " in shown and "recalibrated: " in shown and "450 of 450" in shown
    assert {button.proto.label for button in app.get("download_button")} == {"Recovered model", "Report"}
    assert len(app.get("plotly_chart")) == 3
    assert "start recovery" not in [button.key for button in app.button]
    number(app, "Epochs").set_value(3)
    fine(app.run())
    assert app.button(key="start recovery").label == "Start" and "Below: an earlier recovery" in words(app)


def test_every_method_has_its_form():
    app = visited()
    for method, name in recovery_plan.NAMES.items():
        choose(app, "Method", name)
        labels = {field.label for field in (*app.number_input, *app.selectbox)}
        own = {name for names in recovery_plan.OWN.values() for name in names}
        shown = {name for name in own if recovery_plan.FIELDS[name][0] in labels}
        assert shown == set(recovery_plan.OWN.get(method, ()))
        assert ("Epochs" in labels) == (method != "recalibrate")


def test_what_does_not_fit_together_is_told_and_the_plan_stays():
    app = choose(visited(), "Method", recovery_plan.NAMES["iterative"])
    number(app, "Rounds").set_value(50)
    fine(app.run())
    assert any("Each of 50 rounds needs an epoch" in error.value for error in app.error)
    assert number(app, "Rounds").value == 5


def test_a_stopped_training_goes_on():
    app = visited()
    number(app, "Epochs").set_value(200)
    fine(app.run())
    app.button(key="start recovery").click()
    fine(app.run())
    until(app, lambda app: "stop recovery" in [button.key for button in app.button])
    app.button(key="stop recovery").click()
    fine(app.run())
    until(app, lambda app: "start recovery" in [button.key for button in app.button])
    assert app.button(key="start recovery").label == "Go on" and "is kept" in words(app)
