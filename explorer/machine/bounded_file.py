"""Reads and appends to files of unknown origin within limits: none is endless, and no read blocks for
ever.
"""

import os
import stat
import time
from collections.abc import Iterator
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
    """Read the content of a file, if it is not too long.

    Args:
        pipes: also read what a program writes into a pipe, such as `<(program)` in a shell.
    Raises:
        OSError: it cannot be read, is not a file, or has more bytes than the limit; `strerror` says which.
    """
    content = bytearray()
    for part in parts_bounded(path, limit, pipes=pipes):
        content += part
    return bytes(content)


def parts_bounded(path: str | Path, limit: int, *, pipes: bool = False) -> Iterator[bytes]:
    """Yield the content of a file piece by piece, none of them empty; otherwise as `read_bounded`."""
    handle = os.open(path, os.O_RDONLY | AT_ONCE | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb", buffering=0) as file:
        about = os.fstat(handle)
        is_plain = stat.S_ISREG(about.st_mode)
        if not is_plain and not (pipes and (stat.S_ISFIFO(about.st_mode) or stat.S_ISCHR(about.st_mode))):
            raise NoFileError
        if is_plain and about.st_size > limit:
            raise TooLongError(limit)
        left, until = limit, time.monotonic() + PATIENCE
        while True:
            part = file.read(min(CHUNK, left + 1))
            if part == b"":
                return
            if part:
                left -= len(part)
                if left < 0:
                    raise TooLongError(limit)
                yield part
                until = time.monotonic() + PATIENCE
            elif time.monotonic() > until:
                raise OSError(0, "it gives no data")
            else:
                time.sleep(0.02)


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
