"""Writes a file completely or not at all: a full disk destroys nothing."""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path to write to; at the end it replaces the file, or is removed after an error.

    A link stays a link. Anything that is not a file (such as /dev/stdout) is written to directly.

    Raises:
        OSError: it cannot be put in its place; an existing file is as before.
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
    """Write to a temporary file first, then put it in its place.

    Raises:
        OSError: it cannot be written; an existing file is as before, and no partial file is left.
    """
    with whole_file(path) as place:
        place.write_bytes(content)
