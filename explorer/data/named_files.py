"""Files that a list names inside a folder: a million names are looked up, so each folder is listed once."""

import os
from pathlib import Path


class NamedFiles:
    """The files in a folder and those inside it, by their names in it.

    What a name leads to lies in the folder: neither "..", nor an absolute path, nor a link leads out of it.
    """

    def __init__(self, folder: Path):
        self._folder, self._root = folder, folder.resolve()
        self._listed: dict[str, tuple[str, frozenset[str]]] = {}  # folder -> its path and a slash, its files
        self._own = self._listing("")

    def path(self, name: str) -> str | None:
        """Return the path of a file; None if there is none."""
        start, files = self._own
        if name in files:  # most often, and to split a name takes longer than all else
            return start + name
        head, tail = os.path.split(name)
        if head not in self._listed:
            self._listed[head] = self._listing(head)
        start, files = self._listed[head]
        if tail in files:
            return start + tail
        inside = str(self._folder / head / tail)
        path = Path(inside).resolve()
        return inside if path.is_relative_to(self._root) and path.is_file() else None

    def _listing(self, head: str) -> tuple[str, frozenset[str]]:
        return str(self._folder / head / "x")[:-1], self._plain(head)

    def _plain(self, head: str) -> frozenset[str]:
        """Return the files that are no links; none if the folder lies elsewhere."""
        folder = self._root / head
        is_plain = os.path.normpath(head) in (head, ".") and folder.resolve() == folder
        if not is_plain or not folder.is_relative_to(self._root) or not folder.is_dir():
            return frozenset()
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
