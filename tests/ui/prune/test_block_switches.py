"""The switches of blocks on the Prune page."""

import pytest
from apps import fine, offering, opened

from explorer.values.recipe import Recipe


@pytest.fixture
def offered():
    with offering("shapes-vit", "digits-mlp"):
        yield


def switches(app):
    return {
        toggle.label.partition(":")[0].replace("\\", ""): toggle
        for toggle in app.toggle
        if ".fc1" in toggle.label or "attention" in toggle.label
    }


def test_a_switch_removes_a_block_which_undo_brings_back(offered):
    app = opened("prune", Recipe(blocks=("layers.1.fc1",)), model="shapes-vit")
    assert not switches(app)["layers.1.fc1"].value and switches(app)["layers.0.attention"].value
    fine(switches(app)["layers.0.attention"].set_value(False).run())
    assert Recipe.from_url(app.query_params["recipe"][0]).blocks == ("layers.0.attention", "layers.1.fc1")
    undo = next(button for button in app.button if "undo" in (button.key or "").lower())
    fine(undo.click().run())
    assert switches(app)["layers.0.attention"].value and not switches(app)["layers.1.fc1"].value


def test_a_model_without_blocks_has_no_switches(offered):
    assert not switches(opened("prune", model="digits-mlp"))
