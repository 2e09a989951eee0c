"""Runs a measurement once for all who ask for it: whoever's turn it is takes the next step, and all see the
progress.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from ..errors import ExplorerError, crash
from ..machine.cache import Cache
from ..machine.foreign_code import failure
from ..values.progress import Step, Work


@dataclass(eq=False)
class Flight:
    """A running measurement.

    Args:
        steps: the rest of it.
        taken: how many steps were taken.
        newest: the last step, with the newest value so far.
        watchers: how many follow it; without any it is stopped.
        reason: why it failed.
    """

    steps: Work[Any]
    taken: int = 0
    newest: Step[Any] = field(default_factory=Step)
    watchers: int = 0
    done: bool = False
    reason: str | None = None

    def advance(self) -> None:
        """Take one step; at the end, mark it as finished.

        Raises:
            ExplorerError: it fails, or has failed in somebody else's turn.
        """
        if self.reason is None and not self.done:
            try:
                step = next(self.steps)
                value = self.newest.value if step.value is None else step.value
                self.newest, self.taken = Step(value, step.progress), self.taken + 1
            except StopIteration:
                self.done = True
            except ExplorerError as error:
                self.reason = str(error)
            except (
                Exception,
                SystemExit,
            ) as error:  # the generator is dead, and what it yielded is no result
                self.reason = failure(error) or crash(error)
                raise
        if self.reason is not None:
            raise ExplorerError(self.reason)


class Sharing:
    """Results by key, and the running measurements. Its generators belong to one thread, the worker of the
    lanes.

    Args:
        results: the last value of each finished measurement.
    """

    def __init__(self, results: Cache):
        self.results, self._flights = results, dict[Hashable, Flight]()

    def steps(self, key: Hashable, measure: Callable[[], Work[Any]]) -> Work[Any]:
        """Yield the steps of `measure`, which is called once for all who ask; if the result is known, its
        last value at once.

        Whoever comes later joins at the current step. It continues as long as one of them is left.
        """
        known = self.results.get(key)
        if known is not None:
            yield Step(known)
            return
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = Flight(measure())
        flight.watchers += 1
        try:
            yield from self._followed(key, flight)
        finally:
            flight.watchers -= 1
            self._let_go(key, flight)

    def _followed(self, key: Hashable, flight: Flight) -> Work[Any]:
        seen, value = 0, None
        while not flight.done or flight.taken != seen:
            flight.advance()
            if flight.done:
                self.results.put(key, flight.newest.value)
            if flight.taken != seen:
                newest, seen = flight.newest, flight.taken
                yield Step(None if newest.value is value else newest.value, newest.progress)
                value = newest.value

    def _let_go(self, key: Hashable, flight: Flight) -> None:
        ended = flight.done or flight.reason is not None
        if self._flights.get(key) is flight and (ended or not flight.watchers):
            del self._flights[key]
        if not ended and not flight.watchers:
            flight.steps.close()  # type: ignore[attr-defined]
