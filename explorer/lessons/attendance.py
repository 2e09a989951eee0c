"""Who of a class is where: the page that each browser shows, for the teacher alone; in memory, bounded."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

MOST_SEATS = 200
AWAY_S = 600.0  # seconds without a run of the page, after which nobody sits there


@dataclass(frozen=True)
class Seat:
    """One browser.

    Args:
        place: the page, and on Learn the lesson with its step.
        seconds: since it last did something.
    """

    owner: str
    place: str
    seconds: float


class Attendance:
    """The places of browser sessions; thread-safe.

    Args:
        clock: tells seconds.

    >>> room = Attendance(clock=lambda: 5.0)
    >>> room.note("session", "Prune")
    >>> room.seats()
    (Seat(owner='session', place='Prune', seconds=0.0),)
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock, self._clock = threading.Lock(), clock
        self._seen: dict[str, tuple[str, float]] = {}

    def note(self, owner: str, place: str) -> None:
        """Record what a browser shows now; beyond the limit whoever did nothing for longest is forgotten."""
        with self._lock:
            self._seen.pop(owner, None)
            self._seen[owner] = (place, self._clock())
            while len(self._seen) > MOST_SEATS:
                del self._seen[next(iter(self._seen))]

    def seats(self) -> tuple[Seat, ...]:
        """Return who is there, whoever did something last first."""
        with self._lock:
            now = self._clock()
            there = [
                Seat(owner, place, now - at)
                for owner, (place, at) in self._seen.items()
                if now - at <= AWAY_S
            ]
            return tuple(sorted(there, key=lambda seat: seat.seconds))
