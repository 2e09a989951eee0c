"""Files that a verb writes."""

import errno
import os
from pathlib import Path

from ...errors import ExplorerError
from ...machine.whole_file import write_whole
from .output import note


def place_for_a_file(path: str) -> str:
    """Return the path of a file to write; as the `type` of an argument it is refused before any work.

    Raises:
        ExplorerError: no file can be written there.
    """
    try:
        fault = _fault(Path(path).resolve())
    except (OSError, ValueError) as error:  # longer than the system allows, links in a circle, a null
        fault = getattr(error, "errno", None) or errno.EINVAL
    if fault is not None:
        raise _unwritable(path, os.strerror(fault))
    return path


def _fault(place: Path) -> int | None:
    """Return the number of the system's error for what could not be written, or None."""
    if place.is_dir():
        return errno.EISDIR
    written = place if place.exists() and not place.is_file() else place.parent
    if not written.exists():
        return errno.ENOENT
    if written == place.parent and not written.is_dir():
        return errno.ENOTDIR
    return None if os.access(written, os.W_OK) else errno.EACCES


def _unwritable(path: str, why: str | None) -> ExplorerError:
    return ExplorerError(f"{path[-200:]!r} cannot be written ({why}); choose another place.")


def write(path: str, content: bytes) -> None:
    """Write a file.

    Raises:
        ExplorerError: it cannot be written.
    """
    try:
        write_whole(path, content)
    except OSError as error:
        raise _unwritable(path, error.strerror) from error
    note(f"Wrote {path} ({len(content):,} bytes).")
