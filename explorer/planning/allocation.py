"""A request to an allocator, as one value."""

from dataclasses import dataclass

from ..allocators.context import Losses
from ..values.choice import Choice
from ..values.granularity import CHANNEL, Graded


@dataclass(frozen=True)
class Allocation:
    """A request for ratios that an allocator chooses.

    Args:
        choice: the allocator and its parameters.
        target: fraction of all units of the unlocked parts that is removed (sensitivity_budget: of the whole
            model's cost); ignored if the target is what is searched for.
        granularity: what has the ratios.
        locked: parts that keep their ratios.
        losses: how much the loss grows at each scanned ratio of each part, for allocators that need a scan.
    """

    choice: Choice
    target: float = 0.0
    granularity: Graded = CHANNEL
    locked: frozenset[str] = frozenset()
    losses: Losses | None = None
