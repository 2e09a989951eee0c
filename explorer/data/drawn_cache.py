"""Drawn samples in the cache: a reader sees a whole file or nothing, and a damaged one is drawn again."""

import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ..machine import paths

Arrays = dict[str, np.ndarray]


def drawn_once(name: str, shapes: Mapping[str, tuple[int, ...]], draw: Callable[[], Arrays]) -> Arrays:
    """Return arrays of bytes from the cache, or draw them if they aren't there.

    Args:
        name: of the file, with everything that decides what is in it.
        shapes: name -> shape of each array.
        draw: makes them.
    """
    path = paths.cache() / name
    known = _read(path, shapes)
    if known is None:
        known = draw()
        _write(path, known)
    return known


def _read(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> Arrays | None:
    """Return the cached arrays, or None if there are none or they are damaged (by the zip's own checksum)."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            known = {name: file[name] for name in shapes}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    whole = all(
        known[name].shape == shape and known[name].dtype == np.uint8 for name, shape in shapes.items()
    )
    return known if whole else None


def _write(path: Path, arrays: Arrays) -> None:
    """Cache the arrays; a cache that cannot be written is skipped."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
