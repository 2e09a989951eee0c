"""What a search looks for, the trials that it has measured, and which of them are best."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from ..errors import ExplorerError
from ..values.recipe import Recipe
from ..values.report import Drop

Cost = Literal["params", "macs"]
COSTS = ("params", "macs")


@dataclass(frozen=True)
class SearchPlan:
    """What to search for.

    Args:
        trials: how many there will be in the end, including those of earlier searches.
        cost: "params" (those that are not zero) or "macs", of the pruned model, as a fraction of the dense
            one's.
        granularity: "channel" or "weight".
        largest_drop: accuracy that the winner may lose.
        seed: of the optimiser.
    Raises:
        ExplorerError: a value is not allowed.
    """

    trials: int = 50
    cost: Cost = "params"
    granularity: Literal["channel", "weight"] = "channel"
    largest_drop: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.trials <= 100_000:
            raise ExplorerError(f"The number of trials must be from 1 to 100,000, got {self.trials!r}.")
        if self.cost not in COSTS:
            raise ExplorerError(f"A search lowers {' or '.join(COSTS)}, got {self.cost!r}.")
        if self.granularity == "weight" and self.cost == "macs":
            raise ExplorerError("Zeros alone do not lower MACs; search for single weights with cost params.")
        if not 0 <= self.largest_drop < 1:
            raise ExplorerError(
                f"The largest drop must be in [0, 1), such as 0.01 for one point, got {self.largest_drop!r}."
            )


@dataclass(frozen=True)
class Trial:
    """One recipe that was measured.

    Args:
        origin: the allocator that proposed it, or "optimiser".
        cost: fraction of the dense model's that is left.
        correct: of `samples`, the first of the tuning split's `total`.
        drop: of accuracy, paired with the dense model, at one look; it is not corrected for the choice among
            trials.
        run: its name in the store.
    """

    number: int
    recipe: Recipe
    origin: str
    cost: float
    correct: int
    samples: int
    total: int
    drop: Drop
    run: str

    @property
    def accuracy(self) -> float:
        return self.correct / self.samples

    def beats(self, other: "Trial") -> bool:
        """Whether it is as good in both respects, and better in one."""
        at_least = self.correct >= other.correct and self.cost <= other.cost
        return at_least and (self.correct > other.correct or self.cost < other.cost)

    def to_json(self) -> dict[str, Any]:
        plain = {f.name: getattr(self, f.name) for f in fields(self)} | {"accuracy": self.accuracy}
        return plain | {"recipe": self.recipe.to_json(), "drop": self.drop.to_json()}


@dataclass(frozen=True)
class Search:
    """What is known so far; trials in the order of their numbers, and what the user should know about the
    proposals.
    """

    plan: SearchPlan
    trials: tuple[Trial, ...]
    notes: tuple[str, ...] = ()

    @property
    def front(self) -> tuple[Trial, ...]:
        """Return the trials that no other beats, the cheapest first."""
        found = [trial for trial in self.trials if not any(other.beats(trial) for other in self.trials)]
        return tuple(sorted(found, key=lambda trial: (trial.cost, trial.number)))

    @property
    def winner(self) -> Trial | None:
        """Return the cheapest trial whose estimated drop is allowed, or None."""
        within = [trial for trial in self.front if trial.drop.estimate <= self.plan.largest_drop]
        return within[0] if within else None
