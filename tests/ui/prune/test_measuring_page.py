"""The Prune page's curves, staircase and scans: what is asked is measured, kept and shown."""

from dataclasses import replace

import pytest
from apps import fine, offering, opened, sent, until, words
from streamlit.testing.v1 import AppTest

from explorer.engine.conditions import Conditions
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.studies.sensitivity.scan import known, scan
from explorer.studies.sensitivity.values import ScanPlan
from explorer.ui.prune import latency_staircase
from explorer.ui.prune.console.model import Edit
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe

RECIPE = Recipe(channels={"conv2": 0.5, "conv3": 0.3})


@pytest.fixture(autouse=True)
def offered(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNING_EXPLORER_CACHE", str(tmp_path))
    with offering("digits-cnn"):
        yield


def visited(recipe: Recipe = RECIPE) -> AppTest:
    return opened(recipe=recipe)


def charts(app: AppTest) -> str:
    return "".join(str(element.proto) for element in app.get("plotly_chart")) + str(
        sent(app).get("curve", "")
    )


def box(app: AppTest, label: str):
    return next(found for found in app.selectbox if found.label == label)


def test_channels_and_weights_stand_on_the_same_axes_beside_chance():
    app = until(visited(), "Each point is measured")
    assert "this recipe, weaker and stronger" in charts(app)
    fine(box(app, "Curve").set_value("both").run())
    fine(next(toggle for toggle in app.toggle if toggle.label == "Random control").set_value(True).run())
    app = until(app, "Each point is measured")
    for name in (
        "channels, l1, uniform",
        "single weights, l1, uniform",
        "single weights, l1, uniform: at random",
    ):
        assert name in charts(app)
    assert "weaker and stronger" not in charts(app)


def test_the_curve_has_a_second_line_of_repaired_models_that_can_be_left_out():
    app = until(visited(), "Each point is measured")
    assert "repaired without training" in charts(app) and "your recipe, repaired" in charts(app)
    toggle = next(toggle for toggle in app.toggle if toggle.label == "Repaired")
    assert toggle.value is True
    fine(toggle.set_value(False).run())
    app = until(app, "Each point is measured")
    assert "repaired without training" not in str(sent(app).get("curve", ""))


def test_a_recipe_that_repairs_its_cut_has_one_line():
    app = until(visited(replace(RECIPE, after="least_squares")), "Each point is measured")
    assert "repaired without training" not in charts(app)
    assert not [toggle for toggle in app.toggle if toggle.label == "Repaired"]


def test_colours_can_be_those_after_repair(tmp_path):
    model = Analysed(load("digits-cnn"), graph_of(load("digits-cnn")))
    plan = ScanPlan("channel", recipe=Recipe(after="least_squares"))
    app = fine(visited())
    asked = "Measure the sensitivity of channels"
    assert not [button for button in app.button if button.label == asked]  # a scan came with the sample
    fine(next(t for t in app.toggle if t.label == "Sensitivity after repair").set_value(True).run())
    until(app, lambda app: [button for button in app.button if button.label == asked])
    assert known(model, plan) is None


def test_an_empty_recipe_has_no_curve_of_its_own_but_an_allocators():
    app = visited(Recipe())
    assert "Remove something, and a curve" in words(app)
    fine(box(app, "Curve").set_value("weight").run())
    assert "single weights, l1, uniform" in charts(until(app, "Each point is measured"))


def test_a_staircase_is_measured_on_request_and_says_whether_it_is_faster():
    app = visited()
    assert not any("Faster here?" in one.value for one in app.markdown)
    fine(box(app, "Coupled group").set_value("conv2").run())
    fine(next(button for button in app.button if button.label == "Measure the staircase").click().run())
    app = until(app, "Faster here?")
    assert any(
        "At 16 of 32 channels" in one.value or "measured width closest" in one.value for one in app.markdown
    )
    assert "Latency of the whole model" in charts(app)


def test_what_an_earlier_session_has_scanned_is_there_and_is_not_measured_again(tmp_path):
    subject = load("digits-cnn")
    plan, graph = ScanPlan("channel"), graph_of(subject)
    assert known(Analysed(subject, graph), plan) is None
    found = outcome(scan(Analysed(subject, graph), plan, Conditions(device="cpu")))
    assert known(Analysed(subject, graph), plan) == found
    assert (
        known(Analysed(subject, graph), replace(plan, recipe=Recipe(seed=1))) is None
    )  # the negative control
    app = until(visited(), "parts of your recipe would lose")
    assert "Accuracy lost when each part is pruned alone" not in charts(app)  # folded
    app.session_state["sensitivity fold"] = True
    assert "Accuracy lost when each part is pruned alone" in charts(fine(app.run()))
    assert not any("sensitivity of channels" in button.label for button in app.button)


def test_faders_snap_only_where_a_staircase_was_measured_and_only_when_asked(monkeypatch):
    fast = {"conv1": (0.0, 0.25, 0.5)}
    monkeypatch.setattr(latency_staircase, "fast_ratios", lambda group: fast.get(group, ()))
    edit = Edit(1, {"channel": {"conv1": 0.41, "conv2": 0.41}, "weight": {"fc": 0.41}}, {})
    monkeypatch.setattr(latency_staircase.session, "shown", lambda key, default=None: False)
    assert latency_staircase.snapped(edit) == edit  # the negative control
    monkeypatch.setattr(
        latency_staircase.session, "shown", lambda key, default=None: key == latency_staircase.SNAPS
    )
    snapped = latency_staircase.snapped(edit)
    assert (
        snapped.ratios == {"channel": {"conv1": 0.5, "conv2": 0.41}, "weight": {"fc": 0.41}}
        and snapped.sequence == 1
    )


def test_without_a_measured_staircase_the_option_says_so():
    app = visited()
    assert not any("No fader snaps yet" in caption.value for caption in app.caption)
    fine(
        next(toggle for toggle in app.toggle if toggle.label == "Faders snap to fast widths")
        .set_value(True)
        .run()
    )
    assert any("No fader snaps yet" in caption.value for caption in app.caption)
