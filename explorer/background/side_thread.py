"""Runs one long call that yields nothing (such as a translation to ONNX) in a thread next to the worker, so
that measuring continues.

Latency is the exception: it waits until nothing runs next to it (see `latency.rounds`).
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Never, TypeVar

from ..values.progress import PAUSE, Step, Work, reached

SECONDS = 0.05  # between two steps; a live measurement waits no longer than this
Stage = Callable[[str], None]  # called with a few words when a stage begins
T = TypeVar("T")
_running: set[threading.Thread] = set()


class _LetGoError(Exception):
    """Nobody waits for the call any more."""


@dataclass
class _Call:
    """What the thread and its job share."""

    label: str
    stages: int = 0
    let_go: bool = False
    outcome: Any = None
    error: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def step(self, label: str) -> None:
        """Begin another stage; a call that nobody waits for ends here."""
        if self.let_go:
            raise _LetGoError
        self.label, self.stages = label, self.stages + 1


def beside(work: Callable[[Stage], T], label: str, stages: int) -> Work[T]:
    """Yield Progress while a call runs, and its result at the end. If closed earlier, the call ends when its
    next stage begins.

    Args:
        work: takes `step`, which it calls with a few words when a stage begins.
        label: of the time before the first stage.
        stages: how many there are.
    Raises:
        whatever the call raises.
    """
    call = _Call(label)
    # not a daemon: Python would shut down torch under a thread that still works
    thread = threading.Thread(target=_run, args=(call, work), name="explorer-beside")
    _running.add(thread)
    thread.start()
    started = time.monotonic()
    try:
        while not call.done.wait(SECONDS):
            yield reached(
                min(max(call.stages - 1, 0), stages),
                stages,
                f"{call.label}, {time.monotonic() - started:.0f} s",
            )
    finally:
        call.let_go = True
    if call.error is not None:
        raise call.error
    yield Step(call.outcome)


def _run(call: _Call, work: Callable[[Stage], T]) -> None:
    try:
        call.outcome = work(call.step)
    except _LetGoError:
        pass
    except Exception as error:  # the border of a thread: the job raises it again
        call.error = error
    finally:
        _running.discard(threading.current_thread())
        call.done.set()


def is_quiet() -> bool:
    """Whether nothing runs next to the worker."""
    return not _running


def until_quiet() -> Work[Never]:
    """Pause until nothing runs next to the worker."""
    while not is_quiet():
        time.sleep(SECONDS)
        yield PAUSE
