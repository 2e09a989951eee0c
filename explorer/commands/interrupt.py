"""Ctrl+C that ends a command, also where a library swallows it.

An import, a destructor or a bare ``except`` of a library can catch KeyboardInterrupt, and the work goes on
for minutes. So it is raised again until the command line has it, but not into the clearing up that it began.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN_S = 2.0


@contextmanager
def insistent(every_s: float = AGAIN_S) -> Iterator[None]:
    """Raise KeyboardInterrupt again each `every_s` seconds after Ctrl+C until the block ends.

    Nothing changes outside the main thread, without interval timers (Windows) and where somebody else handles
    the signal.
    """
    if not _is_ours():
        yield
        return
    others = signal.getsignal(signal.SIGALRM)  # stays until there is an interrupt

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, every_s)
        if not _is_under_way():
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if signal.getsignal(signal.SIGALRM) is interrupt:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, others or signal.SIG_DFL)


def _is_ours() -> bool:
    return (
        threading.current_thread() is threading.main_thread()
        and hasattr(signal, "setitimer")
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )


def _is_under_way() -> bool:
    """Whether the code that runs now clears up after a KeyboardInterrupt."""
    error = sys.exception()
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None
