"""Bytes -> a file that is there whole, or as it was before: a full disk destroys nothing."""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A new place to write to; at the end it becomes the file, or is removed if something went wrong.

    A link stays what it is. What is no file (such as /dev/stdout) is written to as it is.

    Raises:
        OSError: it cannot be put in its place; a file that was there is as before.
    """
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        yield target
        return
    beside = target.with_name(f"{target.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        yield beside
        beside.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def write_whole(path: str | Path, content: bytes) -> None:
    """Write next to the file first, then put it in its place.

    Raises:
        OSError: it cannot be written; a file that was there is as before, and nothing half-written is left.
    """
    with whole_file(path) as place:
        place.write_bytes(content)
