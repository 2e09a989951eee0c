"""The Recover page under AppTest: what it says first, a training from start to download, stopping and going
on.
"""

import pytest
from apps import charts, fine, offering, opened, turned_to, until, words
from streamlit.testing.v1 import AppTest

from explorer.machine import paths
from explorer.ui.kept_runs import keeping
from explorer.ui.kept_runs.words import called, facts
from explorer.ui.recover import first_cut, recovery_plan
from explorer.values.recipe import Recipe

RECIPE = Recipe(channels={"conv1": 0.5, "conv2": 0.5})


@pytest.fixture(autouse=True)
def offered(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path))
    with offering("digits-cnn", "digits-mlp"):
        yield


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
    assert first_cut.EMPTY in words(app)
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
    assert len(charts(app)) == 3
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
    assert any("Each of 50 rounds needs an epoch" in error.value for error in app.warning)
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


def recovered(app: AppTest, epochs: int = 1) -> AppTest:
    number(app, "Epochs").set_value(epochs)
    fine(app.run())
    return until(pressed(app, "start recovery"), lambda app: app.get("download_button"))


def pressed(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click()
    return fine(app.run())


def test_the_result_is_kept_as_a_run_below_that_of_its_recipe_with_its_control():
    app = recovered(visited())
    assert "dense, same budget, random pruning, seed 0, from scratch: 3 epochs in all." in words(app)
    until(pressed(app, "train control"), "from scratch, seed 0: ")
    assert "dense, same budget, seed 0: " in words(app) and "random pruning, seed 0: " in words(app)
    assert charts(app)["What is won back"]["data"][0]["y"][-3:] == [
        "dense, same budget, seed 0",
        "random pruning, seed 0",
        "from scratch, seed 0",
    ]
    assert "train control" not in {button.key for button in app.button}
    app.text_input(key="recovered note").set_value("first try")
    until(pressed(app, "keep recovery"), "Kept as run")
    (run,) = (run for run in keeping.store().runs() if run.recovery)
    assert run.note == "first try" and run.recovery.dense is not None and run.parent is not None
    above = keeping.store().run(run.parent)
    assert above.recovery is None and above.report.recipe == RECIPE == run.report.recipe
    assert (
        run.report.pruned.latency_ms
        and run.report.pruned.correct == run.recovery.recovery.recovered[0].measurement.correct
    )
    told = facts(run)
    assert (
        told["After the cut"] == "fine-tuned, 1 epoch, seed 0"
        and "450 of 450" in told["Dense, as much training"]
    )
    assert called(run) != called(above) and facts(above)["After the cut"] == ""

    app = turned_to(app, "compare")
    assert {f"replay {run.name}", f"replay {above.name}"} <= {
        button.key for button in ticked(app, run, above).button
    }
    assert [b.proto.label for b in app.get("download_button")].count("Write and download") == 1
    assert "the masks are the same, bit for bit" in words(
        until(pressed(app, f"replay {run.name}"), "as in the run")
    )


def ticked(app: AppTest, *chosen) -> AppTest:
    (box,) = (box for box in app.multiselect if box.label == "Runs")
    for run in chosen:
        box.select(called(run))
    return fine(app.run())


def test_the_curve_tells_its_cost_and_draws_three_models_on_one_pair_of_axes():
    app = visited()
    number(app, "Epochs").set_value(1)
    fine(app.run())
    assert "Cost of 3 points: 3 epochs, 2,688 samples in all." in words(app)
    until(pressed(app, "draw recovery curve"), "each point is a recovery of its own")
    (drawn,) = (found for title, found in charts(app).items() if title.startswith("What recovery gives"))
    lines = {trace["name"]: len(trace["x"]) for trace in drawn["data"]}
    assert lines == {"recovered": 3, "recalibrated": 3, "one-shot": 3, "dense model": 1}
