"""Bytes -> a file that is there whole, or as it was before: a full disk destroys nothing."""

import contextlib
import os
from pathlib import Path


def write_whole(path: str | Path, content: bytes) -> None:
    """Write beside the file first, then put it in its place; a link, and what is no file (such as
    /dev/stdout), stays what it is.

    Raises:
        OSError: it cannot be written; a file that was there is as before, and nothing half-written is left.
    """
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        target.write_bytes(content)
        return
    beside = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content)
        beside.replace(target)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
