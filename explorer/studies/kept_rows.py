"""Rows of a study on disk, one JSON line each, so that it continues where it was stopped."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ..errors import ExplorerError
from ..machine import paths
from ..machine.bounded_file import append_text, read_bounded
from ..machine.version import __version__
from ..values.plain import canonical_json, finite

T = TypeVar("T")
LONGEST = 64_000_000  # bytes of one study's rows


class KeptRows:
    """Rows by name, in a file that is only ever appended to.

    Args:
        study: the name of the folder.
        key: everything that the rows depend on, as JSON data.
        folder: of all studies (default: in the user's cache).
    """

    def __init__(self, study: str, key: Mapping[str, Any], folder: Path | None = None):
        text = canonical_json({"version": __version__, **key})
        name = hashlib.sha256(text.encode()).hexdigest()[:24]
        self.path = (folder or paths.cache() / "studies") / study / f"{name}.jsonl"
        self._known = dict(self._read())

    def get(self, name: str, read: Callable[[Mapping[str, Any]], T]) -> T | None:
        """Return a row as a value, or None if it is not measured yet, or was edited and cannot be read."""
        try:
            return read(self._known[name]) if name in self._known else None
        except (ExplorerError, KeyError, TypeError, ValueError):
            return None

    def add(self, name: str, row: Mapping[str, Any]) -> None:
        """Keep a row; if the folder cannot be written, only in memory."""
        self._known[name] = row
        with contextlib.suppress(OSError):
            append_text(self.path, json.dumps({"name": name, "row": finite(row)}) + "\n")

    def _read(self) -> Mapping[str, Any]:
        """Return the rows on disk; damaged lines are left out."""
        rows: dict[str, Any] = {}
        with contextlib.suppress(OSError, UnicodeDecodeError):
            for line in read_bounded(self.path, LONGEST).decode("utf-8").splitlines():
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    data = json.loads(line)
                    rows[str(data["name"])] = dict(data["row"])
        return rows
