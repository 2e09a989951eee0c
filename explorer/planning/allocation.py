"""What an allocator is asked for, as one value."""

from dataclasses import dataclass

from ..allocators.context import Losses
from ..values.choice import Choice


@dataclass(frozen=True)
class Allocation:
    """A wish for ratios that an allocator chooses.

    Args:
        choice: the allocator and its parameters.
        target: fraction of all units of the unlocked parts that is removed (sensitivity_budget: of the whole
            model's cost); plays no part where the target is what is searched.
        granularity: "channel" or "weight".
        locked: parts that keep their ratios.
        losses: how much the loss grows at each scanned ratio of each part, for allocators that need a scan.
    """

    choice: Choice
    target: float = 0.0
    granularity: str = "channel"
    locked: frozenset[str] = frozenset()
    losses: Losses | None = None
