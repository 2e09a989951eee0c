"""One plan over blocks, channels and weights on the Prune page: measured, and taken in one step."""

from dataclasses import replace

import pytest
from apps import fine, keys, opened, until, words
from residual_digits import residual_digits

from explorer.machine import paths
from explorer.ui.prune.joint_plan import FREE_ONLY, NOTHING
from explorer.ui.shared import settings
from explorer.values.recipe import Recipe


@pytest.fixture(scope="module", autouse=True)
def offered(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(paths.CACHE_VARIABLE, str(tmp_path_factory.mktemp("cache")))
        before, model = settings.current(), replace(residual_digits().subject, name="residual digits")
        settings.configure(settings.Settings(("residual digits",), "cpu", lambda name: model))
        yield
        settings.configure(before)


def across(app):
    """The page, with one plan over all kinds chosen."""
    app.session_state["ratios way"] = "joint"
    return fine(app.run())


def recipe_of(app):
    given = app.query_params["recipe"]
    return Recipe.from_url(given if isinstance(given, str) else given[0])


def test_one_plan_takes_the_block_that_does_nothing_and_can_be_undone():
    app = across(opened())
    assert "apply" not in keys(app) and "start joint" in keys(app)
    app.slider(key="joint target").set_value(30).run()
    app.button(key="start joint").click()
    until(app, lambda app: "take joint" in keys(app))
    assert "Plan found: " in words(app)
    fine(app.button(key="take joint").click().run())
    assert "blocks.2" in recipe_of(app).blocks
    undo = app.button(key="undo")
    assert not undo.disabled and "one plan over kinds at 30 %" in undo.help


def test_a_budget_over_kinds_is_found_and_taken():
    app = across(opened())
    app.number_input(key="budget_points").set_value(20.0).run()
    app.button(key="start budget").click()
    until(app, lambda app: "take budget" in keys(app) and "stop budget" not in keys(app))
    fine(app.button(key="take budget").click().run())
    assert "blocks.2" in recipe_of(app).blocks


def test_it_says_what_it_cannot_spend_on():
    app = across(opened("prune", Recipe(weights={"fc": 0.5}, pattern="2:4")))
    kinds = app.multiselect(key="joint kinds")
    assert kinds.value == ["block", "channel"]
    kinds.set_value(["block", "weight"]).run()
    assert FREE_ONLY.replace("*", "") in words(app).replace("*", "") and "start joint" not in keys(app)
    app.multiselect(key="joint kinds").set_value([]).run()
    assert NOTHING in words(app) and not {"start joint", "start budget"} & keys(app)


def test_kind_by_kind_is_what_was_there_before():
    app = opened("prune")
    assert {"apply", "start budget"} <= keys(app) and "start joint" not in keys(app)
