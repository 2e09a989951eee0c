"""What a search looks for, the trials that it has measured, and which of them are best."""

from dataclasses import dataclass
from typing import Any, Literal

from ..errors import ExplorerError
from ..measuring.allowance import limit_words, whole_of
from ..values.granularity import CHANNEL, WEIGHT, Graded
from ..values.metric import Scale
from ..values.recipe import Recipe
from ..values.report import Drop, Measurement

Cost = Literal["params", "macs"]
COSTS = ("params", "macs")


@dataclass(frozen=True)
class SearchPlan:
    """What to search for.

    Args:
        trials: how many there will be in the end, including those of earlier searches.
        cost: "params" (those that are not zero) or "macs", of the pruned model, as a fraction of the dense
            one's.
        granularity: what is removed.
        largest_drop: what the winner may lose: of fractions such as accuracy that much, of other metrics that
            share of the dense model's value.
        seed: of the optimiser.
    Raises:
        ExplorerError: a value is not allowed.
    """

    trials: int = 50
    cost: Cost = "params"
    granularity: Graded = CHANNEL
    largest_drop: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.trials <= 100_000:
            raise ExplorerError(f"The number of trials must be from 1 to 100,000, got {self.trials!r}.")
        if self.cost not in COSTS:
            raise ExplorerError(f"A search lowers {' or '.join(COSTS)}, got {self.cost!r}.")
        if self.granularity == WEIGHT and self.cost == "macs":
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
        measured: the metric's value on the first samples of the tuning split's `total`.
        drop: of the metric, paired with the dense model, at one look; it is not corrected for the choice
            among trials.
        run: its name in the store.
    """

    number: int
    recipe: Recipe
    origin: str
    cost: float
    measured: Measurement
    total: int
    drop: Drop
    run: str

    @property
    def value(self) -> float:
        """Return the value of the metric that decides."""
        assert self.measured.value is not None
        return self.measured.value

    @property
    def scale(self) -> Scale:
        return self.drop.scale

    @property
    def dense(self) -> float:
        """Return the dense model's value on the same samples."""
        return self.value + self.drop.estimate

    @property
    def whole(self) -> float:
        """Return the number of which the allowed drop is a share."""
        return whole_of(self.scale, self.dense)

    def beats(self, other: "Trial") -> bool:
        """Whether it is as good in both respects, and better in one."""
        gain = self.scale.sign * (self.value - other.value)
        return gain >= 0 and self.cost <= other.cost and (gain > 0 or self.cost < other.cost)

    def to_json(self) -> dict[str, Any]:
        """Return plain data; accuracy and correct samples only where the metric is accuracy."""
        known = {name: value for name, value in self.measured.to_json().items() if value is not None}
        names = ("accuracy", "correct", "samples", "metric", "value", "low", "high", "unit")
        plain = {"number": self.number, "recipe": self.recipe.to_json(), "origin": self.origin}
        plain |= {"cost": self.cost, "total": self.total, "drop": self.drop.to_json(), "run": self.run}
        return plain | {name: known[name] for name in names if name in known}


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
        within = [trial for trial in self.front if trial.drop.loss <= self.plan.largest_drop * trial.whole]
        return within[0] if within else None

    @property
    def limit(self) -> str:
        """Return what may happen to the winner's metric, in words.

        >>> Search(SearchPlan(largest_drop=0.02), ()).limit
        'accuracy falls by at most 2 points'
        """
        scale, dense = (self.trials[0].scale, self.trials[0].dense) if self.trials else (Scale(), 1.0)
        return limit_words(self.plan.largest_drop, scale, dense)
