"""Reads and appends to files of unknown origin within limits: none is endless, and no read blocks for
ever.
"""

import os
import stat
import time
from pathlib import Path

PATIENCE = 10.0  # seconds without a byte from a pipe
AT_ONCE = getattr(os, "O_NONBLOCK", 0)  # Windows has no pipes among its files
CHUNK = 2**20


class TooLongError(OSError):
    """A file has more bytes than allowed."""

    def __init__(self, limit: int):
        super().__init__(0, f"it has more than {limit:,} bytes")


class NoFileError(OSError):
    """A path leads to a pipe, a device or a folder."""

    def __init__(self) -> None:
        super().__init__(0, "it is not a file")


def read_bounded(path: str | Path, limit: int, *, pipes: bool = False) -> bytes:
    """Return the content of a file, if it is not too long.

    Args:
        pipes: also read what a program writes into a pipe, such as `<(program)` in a shell.
    Raises:
        OSError: it cannot be read, is not a file, or has more bytes than the limit; `strerror` says which.
    """
    handle = os.open(path, os.O_RDONLY | AT_ONCE | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb", buffering=0) as file:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode) and not (pipes and (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode))):
            raise NoFileError
        content, until = bytearray(), time.monotonic() + PATIENCE
        while len(content) <= limit:
            part = file.read(min(CHUNK, limit + 1 - len(content)))
            if part == b"":
                return bytes(content)
            if part:
                content += part
                until = time.monotonic() + PATIENCE
            elif time.monotonic() > until:
                raise OSError(0, "it gives no data")
            else:
                time.sleep(0.02)
    raise TooLongError(limit)


def append_text(path: Path, text: str) -> int:
    """Append to a file, which is created if it does not exist; texts from several programs are not mixed.

    Returns: where in the file this ends.
    Raises:
        OSError: it cannot be written, or is not a file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | AT_ONCE, 0o666)
    with os.fdopen(handle, "ab", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise NoFileError
        file.write(text.encode())
        return file.tell()
