"""Saves a recipe to a file and opens one. What is opened is foreign."""

import json

import streamlit as st

from ...errors import RecipeError
from ...values.link import JSON_LIMIT
from ...values.plain import read_json
from ...values.recipe import Recipe
from .. import session
from ..shared import settings


def draw() -> None:
    """Draw what saves a file and what opens one; a class shares recipes by URL."""
    if settings.current().classroom:
        return
    text = json.dumps(session.recipe().to_json(), indent=1)
    st.download_button(
        "Save recipe (JSON)",
        text,
        "recipe.json",
        "application/json",
        on_click="ignore",
        icon=":material/download:",
    )
    st.caption("The address of this page contains the recipe too: copy it to share.")
    st.file_uploader(
        "Open a recipe (JSON)", ["json"], key="recipe_file", on_change=lambda: session.attempt(_open)
    )


def _open() -> None:
    given = session.shown("recipe_file")
    if given is not None:
        session.bring_recipe(read_recipe(given.getvalue()), "recipe from a file")


def read_recipe(content: bytes) -> Recipe:
    """Read the recipe of a file: one saved here, or the one inside a saved Report.

    Raises:
        RecipeError: it is too large, not JSON, or not a recipe.
    """
    if len(content) > JSON_LIMIT:
        raise RecipeError(f"A recipe file is at most {JSON_LIMIT:,} bytes, this one has {len(content):,}.")
    try:
        data = read_json(content)
    except (ValueError, RecursionError) as error:
        raise RecipeError(
            "This file is not JSON, or names something twice; choose one that was saved here."
        ) from error
    return Recipe.from_json(data["recipe"] if isinstance(data, dict) and "recipe" in data else data)
