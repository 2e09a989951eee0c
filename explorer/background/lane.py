"""A lane: a kind of work of which a session has one piece at a time, and whose turn it is."""

from dataclasses import dataclass

LIVE, USUAL, LONG = 0, 1, 2


@dataclass(frozen=True)
class Lane:
    """A lane, defined next to the code that starts its jobs; a new job replaces the one before.

    Args:
        name: unique in the program.
        rank: the lower goes first. `LIVE` is for the moment, so it is dropped when its session is closed;
            `USUAL` and `LONG` pause until it comes back.
        lasting: continues when its session is closed, since its results are saved on disk.
    """

    name: str
    rank: int = USUAL
    lasting: bool = False
