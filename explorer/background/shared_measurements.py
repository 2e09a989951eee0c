"""One measurement for all who ask for it: whoever's turn it is takes the next step, and everybody sees how
far it is.
"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import ExplorerError
from ..machine.cache import Cache
from ..machine.foreign_code import failure


@dataclass(eq=False)
class Flight:
    """A measurement that goes on.

    Args:
        steps: what is left of it; last: what it has yielded last.
        watchers: how many follow it; without any it is given up.
        reason: why it failed.
    """

    steps: Iterator[Any]
    last: Any = None
    watchers: int = 0
    done: bool = False
    reason: str | None = None

    def advance(self) -> None:
        """One step; the one that finds the end notes it.

        Raises:
            ExplorerError: it fails, or has failed in somebody else's turn.
        """
        if self.reason is None and not self.done:
            try:
                self.last = next(self.steps)
            except StopIteration:
                self.done = True
            except ExplorerError as error:
                self.reason = str(error)
            except (
                Exception,
                SystemExit,
            ) as error:  # the generator is dead, and what it yielded is no result
                self.reason = failure(error) or f"Unexpected error: {type(error).__name__}: {error}"
                raise
        if self.reason is not None:
            raise ExplorerError(self.reason)


class Sharing:
    """Results by key, and the measurements that are on their way. Its generators belong to one thread, the
    worker of the lanes.

    Args:
        results: the last value of each measurement that came to its end.
    """

    def __init__(self, results: Cache):
        self.results, self._flights = results, dict[Hashable, Flight]()

    def steps(self, key: Hashable, measure: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        """What `measure` yields, which is called once for all who ask; its last value at once where it is
        known.

        Whoever comes later joins where it stands. It goes on as long as one of them is left.
        """
        known = self.results.get(key)
        if known is not None:
            yield known
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

    def _followed(self, key: Hashable, flight: Flight) -> Iterator[Any]:
        seen: object = flight  # which is none of its values
        while not flight.done or flight.last is not seen:
            flight.advance()
            if flight.done:
                self.results.put(key, flight.last)
            if flight.last is not seen:
                seen = flight.last
                yield seen

    def _let_go(self, key: Hashable, flight: Flight) -> None:
        ended = flight.done or flight.reason is not None
        if self._flights.get(key) is flight and (ended or not flight.watchers):
            del self._flights[key]
        if not ended and not flight.watchers:
            flight.steps.close()  # type: ignore[attr-defined]
