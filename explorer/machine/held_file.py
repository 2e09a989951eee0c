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


def hold(path: Path) -> BinaryIO:
    """Wait until nobody else holds the file, and return it open: it is held until it is closed.

    Args:
        path: the file, which is created where it is missing; nothing is written into it.
    Raises:
        OSError: it cannot be created or held there.
    """
    file = _opened(path)
    try:
        _lock(file, True)
    except OSError:
        file.close()
        raise
    return file


def hold_if_free(path: Path) -> BinaryIO | None:
    """Return the file open and held, or None if somebody else holds it."""
    file = _opened(path)
    try:
        _lock(file, False)
    except OSError:
        file.close()
        return None
    return file


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the file during a block; wait for it first."""
    with hold(path):
        yield


class HeldLock:
    """The same as a lock with two methods, as optuna's journals use one."""

    def __init__(self, path: Path):
        self._path = path
        self._file: BinaryIO | None = None

    def acquire(self) -> bool:
        self._file = hold(self._path)
        return True

    def release(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _opened(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")
