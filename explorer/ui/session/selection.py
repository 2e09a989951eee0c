"""The model and the recipe that a page shows, as one value, with the key of what is cached about them."""

from dataclasses import dataclass

from ...graph.analysed import Analysed
from ...values.recipe import Recipe
from .. import session

KEPT = 8  # (model, recipe) pairs whose numbers are kept in memory

Key = tuple[str, str]


@dataclass(frozen=True)
class Selection:
    """What the page is about."""

    model: Analysed
    recipe: Recipe

    @property
    def key(self) -> Key:
        """Return a key that is equal if the numbers are equal."""
        return self.model.subject.id, self.recipe.fingerprint


def selection() -> Selection:
    """Return the current selection."""
    return Selection(session.model(), session.recipe())
