"""Named recipes of one person on disk, by model: what a tab remembers, for somebody who signs in again."""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from ..errors import ExplorerError
from ..machine.bounded_file import read_bounded
from ..machine.put_aside import put_aside
from ..machine.whole_file import write_whole
from ..values.recipe import Recipe

LONGEST = 4_000_000  # bytes of one file


class SnapshotFile:
    """The snapshots of one model.

    Args:
        root: the person's folder, created when something is first written.
        model: its name, which is foreign text, so it is hashed and chooses no path.
    """

    def __init__(self, root: Path, model: str):
        self._path = root / "snapshots" / f"{hashlib.sha256(model.encode()).hexdigest()[:16]}.json"

    def read(self) -> dict[str, Recipe]:
        """Return name -> recipe, of those that can be read; nothing if there is no file, or a damaged one."""
        return self._read()[0]

    def _read(self) -> tuple[dict[str, Recipe], bool]:
        """Return name -> recipe, and whether these are all that the file has."""
        try:
            known = json.loads(read_bounded(self._path, LONGEST))
        except FileNotFoundError:
            return {}, True
        except (OSError, ValueError, RecursionError):
            return {}, False
        named = {}
        for name, recipe in known.items() if isinstance(known, dict) else ():
            with contextlib.suppress(ExplorerError):
                named[name] = Recipe.from_json(recipe)
        return named, isinstance(known, dict) and len(named) == len(known)

    def write(self, named: Mapping[str, Recipe]) -> None:
        """Keep these, in place of those before. A file with one that cannot be read is put aside.

        Raises:
            ExplorerError: the folder cannot be written.
        """
        text = json.dumps({name: recipe.to_json() for name, recipe in named.items()})
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if not self._read()[1]:
                put_aside(self._path)
            write_whole(self._path, text.encode())
        except OSError as error:
            raise ExplorerError(
                f"The snapshot could not be kept in {str(self._path.parent)!r} ({error.strerror}); free some "
                "space."
            ) from error
