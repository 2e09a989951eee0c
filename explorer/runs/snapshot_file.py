"""Named recipes of one person on disk, by model: what a tab remembers, for somebody who signs in again."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from ..errors import ExplorerError
from ..machine.bounded_file import read_bounded
from ..machine.whole_file import write_whole
from ..values.recipe import Recipe

LONGEST = 4_000_000  # bytes of one file
DAMAGED = (OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError, ExplorerError)


class SnapshotFile:
    """The snapshots of one model.

    Args:
        root: the person's folder, created when something is first written.
        model: its name, which is foreign text, so it is hashed and chooses no path.
    """

    def __init__(self, root: Path, model: str):
        self._path = root / "snapshots" / f"{hashlib.sha256(model.encode()).hexdigest()[:16]}.json"

    def read(self) -> dict[str, Recipe]:
        """Return name -> recipe; nothing if there is no file, or a damaged one."""
        try:
            known = json.loads(read_bounded(self._path, LONGEST))
            return {str(name): Recipe.from_json(recipe) for name, recipe in known.items()}
        except DAMAGED:
            return {}

    def write(self, named: Mapping[str, Recipe]) -> None:
        """Keep these, in place of those before.

        Raises:
            ExplorerError: the folder cannot be written.
        """
        text = json.dumps({name: recipe.to_json() for name, recipe in named.items()})
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, text.encode())
        except OSError as error:
            raise ExplorerError(
                f"The snapshot could not be kept in {str(self._path.parent)!r} ({error.strerror}); free some "
                "space."
            ) from error
