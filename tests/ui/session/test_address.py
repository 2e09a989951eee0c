"""The address follows the recipe, however late the browser hears of it."""

from types import SimpleNamespace

import pytest

from explorer.ui.session import recipes, state
from explorer.ui.session.history import History, PastRecipe
from explorer.values.recipe import Recipe

PRUNED = Recipe(channels={"conv1": 0.5})
LINK = {"model": "digits-cnn", "recipe": PRUNED.to_url()}


class LateBrowser:
    """A browser that hears an address only after it has asked for the next run of the page."""

    def __init__(self, shown: dict[str, str]):
        self.shown, self.on_the_way = shown, [shown]

    def to_dict(self) -> dict[str, str]:
        return dict(self.shown)

    def from_dict(self, address: dict[str, str]) -> None:
        self.on_the_way.append(address)

    def hears_all(self) -> dict[str, str]:
        self.shown = self.on_the_way[-1]
        return self.shown


@pytest.fixture
def late(monkeypatch):
    """A browser at a recipe's link, and the session that it shows."""
    browser, line = LateBrowser(LINK | {"step": "3"}), History(PastRecipe(Recipe(), "start"))
    monkeypatch.setattr(recipes, "st", SimpleNamespace(query_params=browser))
    own = state.State("digits-cnn", "cpu", histories={"digits-cnn": line.then(PRUNED, "conv1 to 50 %")})
    token = state.held.set(own)
    yield browser
    state.held.reset(token)


def test_a_redo_right_after_an_undo_is_in_the_address(late):
    recipes.undo()
    recipes.write_url()
    recipes.redo()
    recipes.write_url()  # the browser still says the recipe of before the undo
    assert late.hears_all() == LINK | {"step": "3"}


def test_the_dense_model_has_no_recipe_in_its_address_and_other_keys_stay(late):
    recipes.undo()
    recipes.write_url()
    assert late.hears_all() == {"step": "3", "model": "digits-cnn"}


def test_an_address_that_was_written_only_where_it_differed_would_remain(late):
    recipes.undo()
    recipes.write_url()
    recipes.redo()
    assert late.to_dict() == LINK | {"step": "3"}  # nothing to write, says the browser
    assert "recipe" not in late.hears_all()


@pytest.mark.parametrize("now", [None, "No model on this server named 'nope'."])
def test_a_tab_that_opens_another_address_says_what_is_wrong_with_that_one(monkeypatch, now):
    """It went on saying what was wrong with the address before."""
    before = state.State("digits-cnn", "cpu", notice="The link is damaged.", owner="closed tab")
    own = state.State("digits-cnn", "cpu", notice=now, owner="open tab")
    monkeypatch.setitem(state._states, before.epoch, before)
    monkeypatch.setattr(state, "st", SimpleNamespace(session_state={}))
    monkeypatch.setattr(state, "models", SimpleNamespace(is_open=lambda _: False, hand_over=lambda *_: None))
    token = state.held.set(own)
    try:
        assert state.take_place(before.epoch)
    finally:
        state.held.reset(token)
    assert before.owner == "open tab" and before.notice == now
