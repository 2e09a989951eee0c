"""Recipes to come back to: two slots A and B to switch between, named snapshots, and files. Kept for this
session, one set per model; the snapshots of somebody who is signed in stay on disk.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import streamlit as st

from ...errors import RecipeError
from ...runs.snapshot_file import SnapshotFile
from ...values.recipe import Recipe
from .. import session
from ..drawing import layout
from ..drawing.offers import ShownOffer
from ..kept_runs import keeping
from . import recipe_files

Slot = Literal["A", "B"]
NAME_LIMIT, COUNT_LIMIT = 40, 30  # characters, snapshots
LASTING = "None yet. They last as long as this tab; a file and the address of the page last longer."
KEPT = "None yet. They are kept until you delete them; only you see them."
HELP_AB = "What you do changes the chosen one, the other waits. The first time, B begins as a copy of A."
WIDTH = 340  # pixels


@dataclass(frozen=True)
class Shelf:
    """What is kept for one model.

    >>> shelf = Shelf().switched("B", Recipe(weights={"fc": 0.5}))
    >>> shelf.slot, dict(shelf.other.weights)
    ('B', {'fc': 0.5})
    """

    named: dict[str, Recipe] = field(default_factory=dict)
    slot: Slot = "A"
    other: Recipe | None = None

    def switched(self, slot: Slot, present: Recipe) -> "Shelf":
        """Return the shelf with the other slot chosen and the present recipe saved in the old one."""
        return self if slot == self.slot else replace(self, slot=slot, other=present)

    def saved(self, name: str, recipe: Recipe) -> "Shelf":
        """Return the shelf with a snapshot; one with the same name is replaced.

        Raises:
            RecipeError: it has no name, or there are too many.
        """
        name = "".join(letter for letter in name if letter.isprintable()).strip()[:NAME_LIMIT]
        if not name:
            raise RecipeError("A snapshot needs a name of at least one letter; type one first.")
        if name not in self.named and len(self.named) >= COUNT_LIMIT:
            raise RecipeError(f"{COUNT_LIMIT} snapshots are kept at most; delete one first.")
        return replace(self, named={**self.named, name: recipe})

    def without(self, name: str) -> "Shelf":
        return replace(self, named={key: recipe for key, recipe in self.named.items() if key != name})


def _key() -> str:
    return f"snapshots {session.model_name()}"


def _shelf() -> Shelf:
    known: Shelf | None = session.recalled(_key())
    if known is None:
        file = _file()
        session.remember(_key(), known := Shelf(file.read() if file else {}))
    return known


def _file() -> SnapshotFile | None:
    """Return where the snapshots of whoever is signed in are; None if nobody is."""
    return SnapshotFile(keeping.store().root, session.model_name()) if session.person() else None


def _keep(shelf: Shelf) -> None:
    """Keep changed snapshots.

    Raises:
        ExplorerError: they cannot be written.
    """
    file = _file()
    if file is not None:
        file.write(shelf.named)
    session.remember(_key(), shelf)


def draw() -> None:
    """Draw a popover with the switch between A and B, the snapshots, and the file."""
    with (
        st.popover(
            "Recipes",
            icon=":material/bookmark:",
            key="recipes menu",
            help="Switch between two recipes, name one to come back to it, save it to a file, or open one.",
        ),
        st.container(width=WIDTH),
    ):
        slots = {"A": "Recipe A", "B": "Recipe B"}
        ShownOffer("slot", slots, _shelf().slot, _switch).switch("A/B", help=HELP_AB)
        _draw_snapshots()
        recipe_files.draw()


def _draw_snapshots() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_input("Snapshot", key="snapshot name", max_chars=NAME_LIMIT, placeholder="half of layer3")
        st.button("Save", "snapshot save", "Save a snapshot", lambda: session.attempt(_save))
    for index, name in enumerate(_shelf().named):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                layout.plain(name), f"snapshot {index}", on_click=lambda n=name: session.attempt(_open, n)
            )
            st.button(
                "",
                f"forget {index}",
                f"Delete {layout.plain(name)}",
                lambda n=name: session.attempt(_forget, n),
                icon=":material/delete:",
                type="tertiary",
            )
    if not _shelf().named:
        st.caption(KEPT if session.person() else LASTING)


def _switch(slot: Slot) -> None:
    shelf = _shelf()
    if slot == shelf.slot:
        return
    waiting = shelf.other
    session.remember(_key(), shelf.switched(slot, session.recipe()))
    if waiting is not None:
        session.set_recipe(waiting, f"recipe {slot}")


def _save() -> None:
    _keep(_shelf().saved(session.shown("snapshot name") or "", session.recipe()))


def _open(name: str) -> None:
    session.set_recipe(_shelf().named[name], f"snapshot {name}")


def _forget(name: str) -> None:
    _keep(_shelf().without(name))
