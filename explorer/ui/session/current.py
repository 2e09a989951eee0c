"""What the page is about now: the model, its graph and the recipe, under one key."""

from ...graph.export import ModelGraph
from ...values.recipe import Recipe
from ...values.subject import Subject
from .. import session

KEPT = 8  # (model, recipe) pairs whose numbers are kept in memory


Key = tuple[str, str]


def asked() -> tuple[Key, Subject, ModelGraph, Recipe]:
    """Return what is shown: a key for cached values, and its parts."""
    subject, recipe = session.subject(), session.recipe()
    return (subject.id, recipe.fingerprint), subject, session.graph(), recipe
