"""Writes a file completely or not at all: a full disk destroys nothing."""

import contextlib
import uuid
from collections.abc import Iterator, Mapping
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


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write several files that belong together: all of them, or none.

    All are first written next to their places. While they are moved there, the later ones are missing, so
    that even a process that is killed leaves no two files that do not belong together.

    Raises:
        OSError: one cannot be written; existing files are as before.
    """
    mark = uuid.uuid4().hex[:12]
    new = {path: path.with_name(f"{path.name}.{mark}.part") for path in contents}
    old = {path: path.with_name(f"{path.name}.{mark}.old") for path in contents if path.is_file()}
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            new[path].write_bytes(content)
        for path in reversed(list(old)):
            path.replace(old[path])
        for path, place in new.items():
            place.replace(path)
    except BaseException:
        for path, place in new.items():
            with contextlib.suppress(OSError):
                if path not in old and not place.exists():
                    path.unlink(missing_ok=True)
                place.unlink(missing_ok=True)
        for path, place in old.items():
            with contextlib.suppress(OSError):
                place.replace(path)
        raise
    for place in old.values():
        with contextlib.suppress(OSError):
            place.unlink()


def write_whole(path: str | Path, content: bytes) -> None:
    """Write to a temporary file first, then put it in its place.

    Raises:
        OSError: it cannot be written; an existing file is as before, and no partial file is left.
    """
    with whole_file(path) as place:
        place.write_bytes(content)
