"""Whose turn it is on a worker: the slots of all sessions, in the order in which they are served.

Whoever uses it holds the lock of the lanes.
"""

import itertools
from typing import Any

from .jobs import Job, JobQueue, JobSlot
from .lane import LIVE, Lane
from .used_time import UsedTime


class Rota:
    """The lanes that sessions use on one worker: `slots` by session and lane, the time that each session has
    `used`, and the sessions whose browser tab is `closed`.
    """

    def __init__(self) -> None:
        self.slots: dict[tuple[str, Lane], JobSlot] = {}
        self.used = UsedTime()
        self.closed: set[str] = set()
        self._turns = itertools.count(1)
        self._begun, self._waited_seconds = 0, 0.0  # of all jobs so far

    def slot(self, session: str, lane: Lane) -> JobSlot:
        """Return the slot of a session's lane; a new one is served after all others of its kind."""
        known = self.slots.get((session, lane))
        if known is None:
            known = self.slots[session, lane] = JobSlot(session, lane, turn=next(self._turns))
        return known

    def of(self, session: str) -> list[JobSlot]:
        """Return the slots of a session."""
        return [slot for slot in self.slots.values() if slot.session == session]

    def ready(self) -> list[JobSlot]:
        """Return the slots with work, but those of closed sessions only if their work is lasting."""
        return [
            slot
            for slot in self.slots.values()
            if slot.busy and (slot.lane.lasting or slot.session not in self.closed)
        ]

    def first(self) -> JobSlot | None:
        """Return the slot whose turn it is."""
        return min(self.ready(), key=self._order, default=None)

    def ahead(self, slot: JobSlot) -> int:
        """Return how many jobs of other sessions go before the first value of this one."""
        if not slot.needs_first:
            return 0
        others = (other for other in self.ready() if other.session != slot.session)
        return sum(self._order(other) < self._order(slot) for other in others)

    def _order(self, slot: JobSlot) -> tuple[Any, ...]:
        """Return what is smallest for the slot whose turn it is: the highest lane; who has no live number
        yet; the session that has used the least time; then the session and the lane that waited longest.
        """
        is_shown = slot.lane.rank == LIVE and not slot.needs_first
        return slot.lane.rank, is_shown, *self.used.order(slot.session), slot.turn

    def choose(self) -> JobSlot | None:
        """Return the next slot, with its job started."""
        slot = self.first()
        if slot is None:
            return None
        slot.turn = next(self._turns)
        self.used.begin(slot.session, slot.turn)
        if slot.running is None:
            slot.running, slot.waiting = slot.waiting, None
            self._note_begin(slot.running)
        return slot

    def _note_begin(self, job: Job | None) -> None:
        if job is not None:
            job.begin()
            self._begun += 1
            self._waited_seconds += job.waited_seconds

    @property
    def queue(self) -> JobQueue:
        """Return how many jobs wait and run now, and how long jobs wait."""
        ready = self.ready()
        waits = [slot.waiting.waiting_seconds for slot in ready if slot.waiting is not None]
        running = sum(slot.running is not None for slot in ready)
        return JobQueue(len(waits), running, max(waits, default=0.0), self._begun, self._waited_seconds)
