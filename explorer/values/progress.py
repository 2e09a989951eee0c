"""How far a piece of work is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a job is; yielded by the job itself, in units of its own choice (batches, layers, epochs)."""

    done: int
    total: int
    label: str = ""
