"""Who has had how much of a worker's time: the account by which sessions share it fairly."""


class UsedTime:
    """Seconds of each session. Who was away saves nothing up: nobody is counted as having had less than
    whoever was served last had at that moment (start-time fair queueing, Goyal et al. 1996,
    doi:10.1145/248156.248171).

    >>> used = UsedTime()
    >>> used.begin("a", 1)
    >>> used.add("a", 5.0)
    >>> used.order("a"), used.order("b")
    ((5.0, 1), (0.0, 0))
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._turn: dict[str, int] = {}
        self._least = 0.0

    def order(self, session: str) -> tuple[float, int]:
        """Return what is smallest for the session that has had least, and of equal ones waited longest."""
        return max(self._seconds.get(session, 0.0), self._least), self._turn.get(session, 0)

    def begin(self, session: str, turn: int) -> None:
        """Note that it is served now.

        Args:
            turn: larger than all before.
        """
        self._turn[session] = turn
        self._least = self._seconds[session] = self.order(session)[0]

    def add(self, session: str, seconds: float) -> None:
        """Count what it was served; not for a session that was forgotten meanwhile."""
        if session in self._seconds:
            self._seconds[session] += seconds

    def forget(self, session: str) -> None:
        self._seconds.pop(session, None)
        self._turn.pop(session, None)

    def hand_over(self, session: str, heir: str) -> None:
        """Let a session that takes the place of another one continue its account."""
        self._seconds[heir] = max(self._seconds.pop(session, 0.0), self._seconds.get(heir, 0.0))
        self._turn[heir] = max(self._turn.pop(session, 0), self._turn.get(heir, 0))
