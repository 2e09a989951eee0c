"""Memory that Python has freed goes back to the system, which the C library does by itself only in part."""

import ctypes
import gc
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

STATUS = Path("/proc/self/status")


def resident_bytes() -> int | None:
    """What this process holds of the machine's memory now, without mapped files; None = not known.

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
    """What is there now stays: later collections leave it out, and hold the interpreter less long."""
    gc.collect()
    gc.freeze()


def give_back() -> None:
    """Collect what holds itself in circles, and hand free memory back to the system where it takes it."""
    gc.collect()
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)  # another C library than glibc has none
