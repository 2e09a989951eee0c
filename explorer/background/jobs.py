"""A background job and what is known about it. Snapshots are frozen; only the worker of `jobs` changes a
Job.
"""

import logging
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import torch

from ..values.progress import Progress, Step, Work
from .lane import Lane

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobState:
    """A snapshot of one session's lane.

    Args:
        key, value: always belong together; until a newer job has a value they are the older job's.
        progress, seconds_left: of the running job, or of the last one; None = not known.
        running: a job has begun and not ended (it may be suspended while a higher lane runs).
        queued: a job waits for its start.
        ahead: how many jobs of other sessions go before its first value; 0 once it has one.
        error: why the job of `key` failed, one sentence.
        finished: the job of `key` ended, and nothing is running or queued.
        version: grows whenever anything but the progress changes.
    """

    key: Hashable = None
    value: Any = None
    progress: Progress | None = None
    seconds_left: float | None = None
    running: bool = False
    queued: bool = False
    ahead: int = 0
    error: str | None = None
    finished: bool = False
    version: int = field(default=0, compare=False)

    @property
    def busy(self) -> bool:
        """Whether there is something to wait for."""
        return self.running or self.queued


@dataclass(frozen=True)
class JobQueue:
    """The jobs of all sessions.

    Args:
        waiting: have not begun. running: have begun and not ended.
        longest_wait_seconds: of those that wait now.
        begun, waited_seconds: since the start: how many jobs, and how long they waited together.
    """

    waiting: int
    running: int
    longest_wait_seconds: float
    begun: int
    waited_seconds: float


class Job:
    """A submitted piece of work with its latest value and progress."""

    def __init__(self, key: Hashable, make: Callable[[], Work[Any]], *, session: str = "", lane: str = ""):
        self.key, self.session, self.lane = key, session, lane
        self.waited_seconds = 0.0  # until it began
        self._asked = time.monotonic()
        self._make: Callable[[], Work[Any]] | None = make
        self._steps: Work[Any] | None = None
        self.value: Any = None
        self.progress: Progress | None = None
        self.error: str | None = None
        self.ended = False
        self.busy_seconds = 0.0  # on the worker; time spent suspended does not count
        self._since = (0.0, 0)  # busy seconds and units done at the first progress of this stage

    def begin(self) -> None:
        """Note that it waits no longer."""
        self.waited_seconds = self.waiting_seconds

    @property
    def waiting_seconds(self) -> float:
        """Return the seconds since it was asked for."""
        return time.monotonic() - self._asked

    def advance(self) -> Step[Any]:
        """Take and return the next step; only for the worker.

        Raises:
            StopIteration: at the end; otherwise whatever the job raises.
            RuntimeError: the job left torch in another mode, which other jobs of this thread would inherit.
        """
        if self._make is not None:
            self._steps, self._make = self._make(), None
        if self._steps is None:
            raise StopIteration
        modes = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        step = next(self._steps)
        if modes != (torch.is_grad_enabled(), torch.is_inference_mode_enabled()):
            self.close()
            raise RuntimeError("a job must not hold no_grad or inference_mode over a yield")
        return step

    def take(self, step: Step[Any]) -> None:
        """Keep the new value and progress of a step."""
        self.value = self.value if step.value is None else step.value
        known, now = self.progress, step.progress or self.progress
        if now is not None and (known is None or (known.label, known.total) != (now.label, now.total)):
            self._since = (self.busy_seconds, now.done)
        self.progress = now

    @property
    def has_value(self) -> bool:
        return self.value is not None

    def end(self, error: str | None) -> None:
        """Mark it as finished or failed, and release what it used."""
        self.error, self.ended = error, True
        self._make = self._steps = None

    @property
    def seconds_left(self) -> float | None:
        """Return the seconds left at the pace since the first progress of this stage, so that neither set-up
        nor resumed work counts.
        """
        if self.ended or self.progress is None or self.progress.done <= self._since[1]:
            return None
        pace = (self.busy_seconds - self._since[0]) / (self.progress.done - self._since[1])
        return max(0.0, pace * (self.progress.total - self.progress.done))

    def close(self) -> None:
        """End the generator where it is; only for the worker, between two steps."""
        close = getattr(self._steps, "close", None)
        self._steps = None
        if close is not None:
            try:
                close()
            except Exception:  # the border of foreign code: a failing clean-up must not stop the worker
                logger.exception("A job failed while it was being closed.")


class JobSlot:
    """One session's lane: the running job, the waiting one, and the newest with something to show.

    Args:
        turn: of the worker, when it was first asked or last served.
    """

    def __init__(self, session: str, lane: Lane, *, turn: int = 0):
        self.session, self.lane = session, lane
        self.running: Job | None = None
        self.waiting: Job | None = None
        self.shown: Job | None = None
        self.turn, self.version = turn, 0
        self.released = False

    @property
    def busy(self) -> bool:
        return self.running is not None or self.waiting is not None

    @property
    def needs_first(self) -> bool:
        """Whether its job has no value yet."""
        return self.busy and (self.running is None or not self.running.has_value)

    def state(self, ahead: int = 0) -> JobState:
        """Return the current state."""
        shown, newest = self.shown, self.running or self.shown
        return JobState(
            key=shown.key if shown else None,
            value=shown.value if shown else None,
            progress=newest.progress if newest else None,
            seconds_left=newest.seconds_left if newest else None,
            running=self.running is not None,
            queued=self.waiting is not None,
            ahead=ahead,
            error=shown.error if shown else None,
            finished=shown is not None and shown.ended and not self.busy,
            version=self.version,
        )
