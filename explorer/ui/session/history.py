"""Undo and redo: a line of recipes, each with the reason why it was made. Pure values."""

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
    """Where the user is, what came before, and what was undone.

    >>> line = History(PastRecipe(Recipe(), "start")).then(Recipe(weights={"fc": 0.5}), "fc to 50 %")
    >>> line.undo().present.recipe.is_empty, line.undo().redo() == line
    (True, True)
    """

    present: PastRecipe
    past: tuple[PastRecipe, ...] = ()
    future: tuple[PastRecipe, ...] = ()

    def then(self, recipe: Recipe, why: str) -> "History":
        """A step forward; what had been undone is forgotten. The same recipe again is no step."""
        if recipe == self.present.recipe:
            return self
        return History(PastRecipe(recipe, why), (*self.past, self.present)[-LONGEST:])

    def undo(self) -> "History":
        """One step back, or the same at the start."""
        if not self.past:
            return self
        return replace(self, present=self.past[-1], past=self.past[:-1], future=(self.present, *self.future))

    def redo(self) -> "History":
        """One step forward again, or the same at the end."""
        if not self.future:
            return self
        return replace(self, present=self.future[0], past=(*self.past, self.present), future=self.future[1:])
