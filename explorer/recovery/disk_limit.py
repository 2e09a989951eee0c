"""Limits the disk space of recoveries by deleting those unused longest, but never those of kept runs."""

import contextlib
import shutil
import time
from collections.abc import Container, Iterable
from pathlib import Path

from ..machine import paths

MAX_BYTES = 2_000_000_000
IN_USE = 300.0  # seconds; a running training saves more often than that, so older files are not in use


def recoveries(root: Path | None = None) -> Path:
    """Return the folder of all recoveries (default: in the cache)."""
    return root or paths.cache() / "recoveries"


def _named_by_runs(keys: Iterable[str], root: Path | None) -> set[str]:
    """Return the recoveries that the file of a kept run names, so that their weights must be kept.

    Files are searched for the keys, not read as runs: what keeping a run means is the business of `runs`.
    """
    searched, named = set(keys), set[str]()
    for path in (recoveries(root).parent / "runs").glob("*/*.json"):
        with contextlib.suppress(FileNotFoundError):
            text = path.read_bytes()
            named |= {key for key in searched if key.encode() in text}
    return named


def make_room(root: Path | None = None, *, max_bytes: int | None = None, own: Container[str] = ()) -> int:
    """Delete the recoveries unused longest until the rest fits; return the bytes that this freed.

    Recoveries written or read within the last minutes are kept, and so are those that a stored run next to
    the folder needs.

    Args:
        max_bytes: of all recoveries (default: MAX_BYTES).
        own: keys that are kept whatever their age.
    """
    folders = _folders(root)
    excess = sum(size for _, size, _ in folders) - (MAX_BYTES if max_bytes is None else max_bytes)
    if excess <= 0:
        return 0
    kept, freed = _named_by_runs((folder.name for _, _, folder in folders), root), 0
    for used, size, folder in sorted(folders):
        if freed >= excess:
            break
        if folder.name in kept or folder.name in own or time.time() - used < IN_USE:
            continue
        shutil.rmtree(folder, ignore_errors=True)
        freed += size
    return freed


def _folders(root: Path | None) -> list[tuple[float, int, Path]]:
    """Return (time of the last use, bytes, folder) of each recovery; one that disappears meanwhile is left
    out.
    """
    folders = []
    for folder in recoveries(root).glob("*"):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            files = [file.stat() for file in folder.iterdir()]
            used = max((status.st_mtime for status in files), default=folder.stat().st_mtime)
            folders.append((used, sum(status.st_size for status in files), folder))
    return folders
