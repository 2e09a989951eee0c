"""A kind of work that a session has one piece of at a time, and whose turn it is."""

from dataclasses import dataclass

LIVE, USUAL, LONG = 0, 1, 2


@dataclass(frozen=True)
class Lane:
    """Defined next to what begins its jobs; a new job replaces the one before.

    Args:
        name: once in the program.
        rank: the lower goes first. `LIVE` is of the moment, so it is dropped when its session is closed;
            `USUAL` and `LONG` pause until it comes back.
        lasting: continues when its session is closed, since what it makes is kept on disk.
    """

    name: str
    rank: int = USUAL
    lasting: bool = False
