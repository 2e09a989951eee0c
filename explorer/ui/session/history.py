"""Undo and redo: a sequence of recipes, each with the reason for the change. Pure values."""

from dataclasses import dataclass, replace

from ...values.recipe import Recipe

LONGEST = 200  # steps that can be undone


@dataclass(frozen=True)
class PastRecipe:
    """A recipe, and what was done to get there."""

    recipe: Recipe
    why: str


@dataclass(frozen=True)
class History:
    """The current recipe, what came before, and what was undone.

    >>> line = History(PastRecipe(Recipe(), "start")).then(Recipe(weights={"fc": 0.5}), "fc to 50 %")
    >>> line.undo().present.recipe.is_empty, line.undo().redo() == line
    (True, True)
    """

    present: PastRecipe
    past: tuple[PastRecipe, ...] = ()
    future: tuple[PastRecipe, ...] = ()

    def then(self, recipe: Recipe, why: str) -> "History":
        """Go a step forward; what had been undone is forgotten. The same recipe again is not a step."""
        if recipe == self.present.recipe:
            return self
        return History(PastRecipe(recipe, why), (*self.past, self.present)[-LONGEST:])

    def undo(self) -> "History":
        """Go one step back, or stay at the start."""
        if not self.past:
            return self
        return replace(self, present=self.past[-1], past=self.past[:-1], future=(self.present, *self.future))

    def redo(self) -> "History":
        """Go one step forward again, or stay at the end."""
        if not self.future:
            return self
        return replace(self, present=self.future[0], past=(*self.past, self.present), future=self.future[1:])
