"""Keeps the collector of reference cycles away from work that makes many values which stay: it would look at
all of them again and again, and find nothing to free.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_uses = 0
_was_on = False


@contextmanager
def without_collector() -> Iterator[None]:
    """Collect no reference cycles meanwhile, in any thread; not for work whose cycles hold much memory.

    >>> with without_collector():
    ...     gc.isenabled()
    False
    >>> gc.isenabled()
    True
    """
    global _uses, _was_on
    with _lock:
        if not _uses:
            _was_on = gc.isenabled()
            gc.disable()
        _uses += 1
    try:
        yield
    finally:
        with _lock:
            _uses -= 1
            if not _uses and _was_on:
                gc.enable()
