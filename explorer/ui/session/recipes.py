"""The recipe, its history, and the URL that contains it."""

import streamlit as st

from ...pruning.checks import check_brought, check_recipe
from ...values.recipe import Recipe
from .history import History
from .models import model_name, profile
from .state import START, state

OWN_KEYS = ("model", "recipe")  # of the URL; pages have others


def history() -> History:
    return state().histories.get(model_name(), START)


def recipe() -> Recipe:
    """Return the user's recipe."""
    return history().present.recipe


def set_recipe(value: Recipe, why: str) -> None:
    """Set the recipe, as a step that can be undone.

    Args:
        why: in a few words, for the undo button.
    Raises:
        ExplorerError: it does not fit the model; the recipe is unchanged.
    """
    check_recipe(profile(), value)
    _move(history().then(value, why))


def bring_recipe(value: Recipe, why: str) -> None:
    """Set a recipe that comes from elsewhere, such as a file, as `set_recipe` does.

    Raises:
        ExplorerError: it does not fit the model, and was most likely made for another one.
    """
    check_brought(profile(), value)
    _move(history().then(value, why))


def undo() -> None:
    _move(history().undo())


def redo() -> None:
    _move(history().redo())


def _move(line: History) -> None:
    its = state()
    its.histories[its.model] = line
    its.generation += 1
    its.cancelled.clear()
    its.notice = None


def address() -> tuple[tuple[str, str], ...]:
    """Return what the page's URL says about model and recipe: names and values."""
    kept = {} if recipe() == Recipe() else {"recipe": recipe().to_url()}
    return tuple(({"model": model_name()} | kept).items())


def write_url() -> None:
    """Put model and recipe into the URL; switching pages clears it, so every run of a page calls this.

    It is written whatever the browser said when it asked for this run: an address that was sent to it just
    before may still have been on its way then, and would remain.
    """
    others = {key: value for key, value in st.query_params.to_dict().items() if key not in OWN_KEYS}
    st.query_params.from_dict(others | dict(address()))
