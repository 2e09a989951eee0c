"""A file that one process holds at a time; the system lets go of it when the process ends, even if killed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO, wait: bool) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: BinaryIO, wait: bool) -> None:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def hold(path: Path, *, wait: bool = True) -> BinaryIO | None:
    """Return the open file, which is held until it is closed; None if somebody else holds it.

    Args:
        path: the file, which is created where it is missing; nothing is written into it.
        wait: wait until nobody else holds it.
    Raises:
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("ab")
    try:
        _lock(file, wait)
    except OSError:
        file.close()
        return None
    return file


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the file during a block; wait for it first."""
    file = hold(path)
    try:
        yield
    finally:
        if file is not None:
            file.close()
