"""Puts a file that cannot be read out of the way of a new one; nothing that a user edited is overwritten."""

import contextlib
import itertools
from pathlib import Path


def put_aside(path: Path) -> Path | None:
    """Rename a file to NAME.aside, or NAME.2.aside and so on, in the same folder.

    Returns: its new place, or None if it is no longer there, or cannot be renamed.
    """
    for number in itertools.count(1):
        place = path.with_name(f"{path.name}{'' if number == 1 else f'.{number}'}.aside")
        if not place.exists():
            break
    with contextlib.suppress(OSError):
        return path.rename(place)
    return None
