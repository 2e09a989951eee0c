"""What the program keeps in its cache folder, kind by kind, and how to delete it. Only the program's own
files are listed or deleted.

The record of held-out openings is not included: after deleting it, that data would look as if it had never
been opened.
"""

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import ExplorerError, UnknownNameError
from . import paths


@dataclass(frozen=True)
class Kind:
    """Files of one kind.

    Args:
        pattern: of names in the cache folder.
        meaning: what they are, and what is deleted with them.
        comes_back: the program creates them again when they are needed.
    """

    pattern: str
    meaning: str
    comes_back: bool


KINDS = {
    "graphs": Kind("graphs", "graphs of models as torch traced them; traced again when needed", True),
    "scans": Kind("scans", "sensitivity scans; measured again when asked for", True),
    "latencies": Kind("latencies", "how fast other widths are here; timed again when asked for", True),
    "searches": Kind("searches", "searches by an optimiser; they start again", True),
    "pictures": Kind("shapes-*.npz", "drawn pictures of the shapes data; drawn again when needed", True),
    "recoveries": Kind(
        "recoveries", "trainings: where they would continue, and the weights of recovered runs", False
    ),
    "runs": Kind("runs", "kept runs: recipes, numbers and notes", False),
    "sample models": Kind("sample_models", "sample models that were trained again here", False),
}


@dataclass(frozen=True)
class DiskUse:
    """The disk space of one kind."""

    kind: str
    files: int
    bytes: int


def stored(root: Path | None = None) -> tuple[DiskUse, ...]:
    """Return the kinds that exist, in the order of the list.

    Args:
        root: the cache folder; None = the user's.
    """
    used = []
    for kind in KINDS:
        sizes = [size for path in _paths(kind, root) for size in _sizes(path)]
        if sizes:
            used.append(DiskUse(kind, len(sizes), sum(sizes)))
    return tuple(used)


def delete(kinds: Iterable[str], root: Path | None = None) -> None:
    """Delete all files of these kinds; a file that another program deletes meanwhile counts as deleted.

    Raises:
        UnknownNameError: there is no such kind.
        ExplorerError: something is still there, e.g. because deleting it is not allowed.
    """
    chosen = list(kinds)
    for kind in chosen:
        if kind not in KINDS:
            raise UnknownNameError("kind of stored files", kind, KINDS)
    for path in [path for kind in chosen for path in _paths(kind, root)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
    left = [path.name for kind in chosen for path in _paths(kind, root)]
    if left:
        raise ExplorerError(
            f"Not everything could be deleted, {', '.join(left)} is still there; delete it by hand."
        )


def _paths(kind: str, root: Path | None) -> list[Path]:
    return sorted((root or paths.cache()).glob(KINDS[kind].pattern))


def _sizes(path: Path) -> Iterator[int]:
    """Return the bytes of a file, or of each file in a folder; links are not followed."""
    for file in [path, *path.rglob("*")]:
        with contextlib.suppress(OSError):
            if file.is_file() and not file.is_symlink():
                yield file.stat().st_size
