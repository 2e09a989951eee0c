"""Background work in lanes: one worker thread per device; values come back as immutable snapshots.

A job yields a step after each batch. Between two steps the worker chooses again whose turn it
is, so a new live measurement waits for one batch at most, while a scan or a training stays suspended where it
was. Of equal lanes, who waits for a first number goes before who has one, and then whoever has used less of
the worker's time, so large models of one visitor do not hold up the small ones of another.
"""

import logging
import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

from ..errors import ExplorerError, crash
from ..machine.foreign_code import failure
from ..values.progress import Step, Work
from . import job_log
from .jobs import Job, JobQueue, JobSlot, JobState
from .lane import LIVE, Lane
from .rota import Rota

LOOK_AGAIN = 0.5  # seconds until an idle worker asks again whether paused sessions have come back

logger = logging.getLogger(__name__)


def _always(session: str) -> bool:
    return True


class Lanes:
    """The worker of one device.

    Args:
        is_active: session -> whether its browser tab is open; asked on the worker before each batch. For a
            closed session live jobs are dropped, scans, curves and latency pause, recovery continues.
        forget_after: seconds until a closed session's paused jobs and values are released.
        clock: tells the seconds by which the work of a session is counted.
    """

    def __init__(
        self,
        is_active: Callable[[str], bool] = _always,
        *,
        forget_after: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._is_active, self._forget_after, self._clock = is_active, forget_after, clock
        self._rota = Rota()
        self._last_seen: dict[str, float] = {}  # session -> time.monotonic() when it was last active
        self._discarded: list[Job] = []
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="explorer-lanes", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------------ for any thread

    def submit(self, session: str, lane: Lane, key: Hashable, make: Callable[[], Work[Any]]) -> None:
        """Ask for a job; the latest of a session's lane wins, and an older one is closed after its next step.

        A job that is running or done under the same key is not run again, not even after an error: `cancel`
        allows it again.

        Args:
            make: starts the job, on the worker.
        Raises:
            ExplorerError: the worker was shut down.
        """
        with self._changed:
            if self._stopped:
                raise ExplorerError("The background worker was shut down; start the program again.")
            slot = self._rota.slot(session, lane)
            self._last_seen[session] = time.monotonic()
            slot.released = False
            if slot.waiting is not None and slot.waiting.key == key:
                return
            slot.waiting = None
            if slot.running is not None and slot.running.key == key:
                return
            if slot.running is None and slot.shown is not None and slot.shown.key == key and slot.shown.ended:
                return
            self._discard(slot)
            if slot.shown is None or slot.shown.key != key or not slot.shown.ended:
                slot.waiting = Job(key, make, session=session, lane=lane.name)
            slot.version += 1
            self._changed.notify_all()

    def state(self, session: str, lane: Lane) -> JobState:
        """Return the current state of this lane of the session."""
        with self._changed:
            slot = self._rota.slots.get((session, lane))
            return slot.state(self._rota.ahead(slot)) if slot else JobState()

    @property
    def first_numbers(self) -> int:
        """Return how many live jobs wait for their first value, or work on it."""
        with self._changed:
            return sum(slot.lane.rank == LIVE and slot.needs_first for slot in self._rota.slots.values())

    @property
    def queue(self) -> JobQueue:
        """Return how many jobs wait and run now, and how long jobs wait; those that pause while their session
        is closed are left out.
        """
        with self._changed:
            return self._rota.queue

    def versions(self, session: str) -> tuple[int, ...]:
        """Return the versions of its lanes, which are equal as long as none of them has news."""
        with self._changed:
            return tuple(slot.version for slot in self._rota.of(session))

    def busy(self, session: str) -> bool:
        """Whether some lane of the session has something to wait for, so that a page should look again."""
        return any(self.state(session, lane).busy for lane in self.used(session))

    def used(self, session: str) -> tuple[Lane, ...]:
        """Return the lanes in which the session has work, or a value from it."""
        with self._changed:
            return tuple(slot.lane for slot in self._rota.of(session))

    @property
    def idle(self) -> bool:
        """Whether no session has anything to wait for."""
        with self._changed:
            return not any(slot.busy for slot in self._rota.slots.values())

    def wait(self, session: str, lane: Lane, timeout: float | None = None) -> JobState:
        """Return the state once the lane has nothing left to do, or after `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self.state(session, lane).busy, timeout)
            return self.state(session, lane)

    def cancel(self, session: str, lane: Lane) -> None:
        """Close the job after its next step and drop the waiting one; the last value is kept, an error is
        cleared.
        """
        with self._changed:
            slot = self._rota.slots.get((session, lane))
            if slot is None:
                return
            slot.waiting = None
            slot.version += 1
            self._discard(slot)
            if slot.shown is not None and slot.shown.error is not None:
                slot.shown = None
            self._changed.notify_all()

    def release(self, session: str) -> None:
        """Forget a session: its jobs are closed and its values released; a recovery continues to its end."""
        with self._changed:
            self._forget(session)
            self._changed.notify_all()

    def hand_over(self, session: str, heir: str) -> None:
        """Give the work of one session to another, whose tab took its place; what that one has begun in the
        same lanes is dropped.
        """
        with self._changed:
            for slot in self._rota.of(session):
                begun = self._rota.slots.get((heir, slot.lane))
                if begun is not None:
                    self._drop(begun)
                    slot.version += begun.version
                del self._rota.slots[session, slot.lane]
                slot.session, slot.released = heir, False
                slot.version += 1
                self._rota.slots[heir, slot.lane] = slot
            self._last_seen[heir] = time.monotonic()
            self._rota.used.hand_over(session, heir)
            self._last_seen.pop(session, None)
            self._changed.notify_all()

    def shutdown(self) -> None:
        """Close every job after its next step and join the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()

    # ------------------------------------------------------------------ with the lock held

    def _discard(self, slot: JobSlot) -> None:
        if slot.running is not None:
            self._discarded.append(slot.running)
            slot.running = None

    def _drop(self, slot: JobSlot) -> None:
        self._discard(slot)
        slot.waiting = None
        self._rota.slots.pop((slot.session, slot.lane), None)

    def _forget(self, session: str) -> None:
        for slot in self._rota.of(session):
            if slot.lane.lasting and slot.busy:
                slot.released = True
            else:
                self._drop(slot)
        if not self._rota.of(session):
            self._rota.used.forget(session)
            self._last_seen.pop(session, None)

    def _sort_out_closed(self) -> None:
        for session in self._rota.closed:
            for lane in self.used(session):
                if lane.rank == LIVE:
                    self._drop(self._rota.slots[session, lane])
            if time.monotonic() - self._last_seen.get(session, 0.0) >= self._forget_after:
                self._forget(session)

    # ------------------------------------------------------------------ on the worker

    def _work(self) -> None:
        while not self._stopped:
            if not self._turn():
                with self._changed:
                    if not (self._stopped or self._discarded or self._rota.first()):
                        self._changed.wait(LOOK_AGAIN if self._rota.slots else None)
        self._close_all()

    def _turn(self) -> bool:
        """Run one step of the job whose turn it is; False if there was none.

        Everything it uses is released when it returns, before the worker waits.
        """
        self._look_at_sessions()
        with self._changed:
            self._sort_out_closed()
            slot = self._rota.choose()
            closing, self._discarded = self._discarded, []
        for job in closing:
            self._close(job)
        if slot is not None:
            self._step(slot)
        return slot is not None or bool(closing)

    def _look_at_sessions(self) -> None:
        # outside of the lock: is_active may take locks of its own
        with self._changed:
            sessions = {slot.session for slot in self._rota.slots.values()}
        active = {session for session in sessions if self._is_active(session)}
        with self._changed:
            self._rota.closed = sessions - active
            self._last_seen.update(dict.fromkeys(active & set(self._last_seen), time.monotonic()))

    def _step(self, slot: JobSlot) -> None:
        job = slot.running
        if job is None:  # cancelled since it was chosen
            return
        started, step = self._clock(), Step[Any]()
        error, ended = None, False
        try:
            step = job.advance()
        except StopIteration:
            ended = True
        except ExplorerError as reason:
            error = str(reason)
        except (Exception, SystemExit) as reason:
            # the border of foreign code: one user's failing job must not stop everybody's worker
            error = failure(reason)
            if error is None:
                logger.exception("A job of lane %s failed.", slot.lane.name)
                error = crash(reason)
        with self._changed:
            seconds = self._clock() - started
            job.busy_seconds += seconds
            self._rota.used.add(slot.session, seconds)
            self._publish(slot, job, step, ended or error is not None, error)
            self._changed.notify_all()
        if ended or error is not None:
            job_log.note(job, "finished" if ended else "failed")

    def _publish(self, slot: JobSlot, job: Job, step: Step[Any], ended: bool, error: str | None) -> None:
        """Show the new value; that of a replaced job is still useful until its successor has one, that of a
        cancelled one is not.
        """
        current = slot.running is job
        if not current and slot.waiting is None:
            return
        news = ended or slot.shown is not job or step.value is not None
        job.end(error) if ended else job.take(step)
        if job.has_value or job.ended:
            slot.shown = job
            slot.version += news
        if current and ended:
            slot.running = None
            if slot.released:
                self._drop(slot)

    def _close_all(self) -> None:
        with self._changed:
            for slot in list(self._rota.slots.values()):
                self._drop(slot)
            closing, self._discarded = self._discarded, []
            self._changed.notify_all()
        for job in closing:
            self._close(job)

    def _close(self, job: Job) -> None:
        job.close()
        job_log.note(job, "stopped")
