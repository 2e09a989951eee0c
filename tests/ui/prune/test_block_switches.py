"""The switches of blocks on the Prune page, with a residual network that is quick to measure."""

from dataclasses import replace

import pytest
from apps import fine, keys, opened, until, words
from residual_digits import residual_digits

from explorer.machine import paths
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


def switches(app):
    named = ((toggle.label.partition(":")[0].replace("\\", ""), toggle) for toggle in app.toggle)
    return {name: toggle for name, toggle in named if name.startswith("blocks.")}


def removed(app):
    """The blocks that the address says are removed."""
    given = app.query_params["recipe"]
    return Recipe.from_url(given if isinstance(given, str) else given[0]).blocks


def test_the_lowest_blocks_by_a_criterion_are_switched_off():
    app = opened(recipe=Recipe(blocks=("blocks.1",)))
    app.number_input(key="lowest blocks count").set_value(1).run()
    app.button(key="rate blocks").click()
    until(app, lambda app: "take lowest" in keys(app))
    fine(app.button(key="take lowest").click().run())
    assert removed(app) == ("blocks.2",), "the block that does nothing has the least influence"
    assert "lowest blocks by block_influence" in app.button(key="undo").help
    assert "take lowest" not in keys(app) and "Switched off: blocks.2" in words(app)
    app.selectbox(key="block criterion").set_value("random").run()
    assert "rate blocks" in keys(app), "another criterion rates anew"


def test_a_switch_removes_a_block_and_brings_it_back():
    app = opened(recipe=Recipe(blocks=("blocks.1",)))
    assert [name for name, toggle in switches(app).items() if not toggle.value] == ["blocks.1"]
    fine(switches(app)["blocks.0"].set_value(False).run())
    assert removed(app) == ("blocks.0", "blocks.1")
    fine(switches(app)["blocks.1"].set_value(True).run())
    assert removed(app) == ("blocks.0",)
