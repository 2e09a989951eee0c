"""Results of pieces of work on disk, by their addresses: what is known is never computed again."""

import contextlib
import json
from pathlib import Path
from typing import Any

from ..machine import paths
from ..machine.bounded_file import read_bounded
from ..machine.whole_file import write_whole
from .work_item import WorkItem

LONGEST = 256_000_000  # bytes of one result
MAX_BYTES = 1_000_000_000


class ResultStore:
    """The results in a folder; any number of programs and workers can share it.

    Args:
        root: created when something is first written (default: in the user's cache).
        max_bytes: of all results; `make_room` deletes the oldest beyond it.
    """

    def __init__(self, root: Path | None = None, max_bytes: int = MAX_BYTES):
        self.root, self._max_bytes = root or paths.cache() / "pieces", max_bytes

    def get(self, item: WorkItem) -> dict[str, Any] | None:
        """Return result and environment; None if they are not known, or damaged."""
        try:
            known = json.loads(read_bounded(self._path(item.address), LONGEST))
        except (OSError, ValueError):
            return None
        return known if isinstance(known, dict) and {"result", "environment"} <= set(known) else None

    def put(self, item: WorkItem, known: dict[str, Any]) -> None:
        """Keep a result; if the folder cannot be written, do nothing, since it can be computed again."""
        path = self._path(item.address)
        if not item.keeps or path.exists():
            return
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps(known).encode())

    def make_room(self) -> None:
        """Delete the oldest results beyond the limit, and what killed programs have left half written."""
        files = []
        for path in self.root.glob("*/*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                files.append((status.st_mtime, status.st_size, path))
        used = 0
        for _, size, path in sorted(files, reverse=True):
            used += size
            if used > self._max_bytes:
                with contextlib.suppress(OSError):
                    path.unlink()

    def _path(self, address: str) -> Path:
        return self.root / address[:2] / f"{address}.json"
