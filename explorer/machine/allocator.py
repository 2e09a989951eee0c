"""Returns freed memory to the system, which the C library does only in part by itself."""

import ctypes
import gc
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

STATUS = Path("/proc/self/status")


def resident_bytes() -> int | None:
    """Return the bytes of memory that this process uses now, without mapped files; None = not known.

    >>> held = resident_bytes()
    >>> held is None or held > 1_000_000
    True
    """
    try:
        lines = STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    sizes = (line.split()[1] for line in lines if line.startswith("RssAnon:"))
    found = next(sizes, None)
    return None if found is None else int(found) * 1024


def settle() -> None:
    """Exclude everything that exists now from later garbage collections, so that they block the interpreter
    for less time. Nothing is collected before: that would block it now, and imports leave next to nothing.
    """
    gc.freeze()


def give_back() -> None:
    """Collect reference cycles, and return free memory to the system if it supports that."""
    gc.collect()
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)  # C libraries other than glibc have none
