"""The numbers of recipes right after a cut, and how well each orders them as retraining does.

A number is as good as the order of its recipes agrees with the order after retraining (Spearman's rank
correlation, with an interval over recipes).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import ExplorerError, UnknownNameError
from ..registry import ALLOCATORS
from ..values.granularity import CHANNEL, Graded
from ..values.json_fields import built
from ..values.recipe import Recipe
from .equal_parameters import DECLARED
from .rank_correlation import row_ranks, spearman

NUMBERS = {
    "one_shot": "right after the cut",
    "recalibrated": "norms recalibrated",
    "repaired": "repaired by least squares",
    "first_order": "predicted by gradients",
    "retrained_again": "retrained with another seed",
}
RETRAINED = "retrained"
RESAMPLES, LEVEL, FEWEST = 1000, 0.95, 8
Quantity = str  # "value" of the deciding metric, or "loss"


@dataclass(frozen=True)
class LivePlan:
    """What is measured.

    Args:
        recipes: how many.
        left: share of the parameters that each leaves.
        granularity: what is removed.
        epochs: of each retraining.
        training: only the first so many training samples, for retraining and repair; None = all.
        again: retrain each a second time, with another seed.
        allocators: of the allocated recipes.
    Raises:
        ExplorerError: a value is not allowed.
    """

    recipes: int = 40
    left: float = 0.3
    granularity: Graded = CHANNEL
    epochs: int = 2
    training: int | None = None
    again: bool = True
    allocators: tuple[str, ...] = DECLARED

    def __post_init__(self) -> None:
        if not FEWEST <= self.recipes <= 1000:
            raise ExplorerError(f"--recipes must be from {FEWEST} to 1,000, got {self.recipes}.")
        if not 0 < self.left < 1:
            raise ExplorerError(f"--left must be between 0 and 1, got {self.left:g}.")
        if self.epochs < 1:
            raise ExplorerError(f"--epochs must be at least 1, got {self.epochs}.")
        if self.training is not None and self.training < 2:
            raise ExplorerError(f"--training must be at least 2 samples, got {self.training}.")
        for name in self.allocators:
            if name not in ALLOCATORS:
                raise UnknownNameError("allocator", name, ALLOCATORS)


@dataclass(frozen=True)
class Tried:
    """One recipe with all its numbers; None = not measured, such as norms of a model that has none.

    Args:
        left: parameters left, of those of the dense model.
        numbers: name -> (value of the deciding metric, mean loss); the first-order prediction has a growth of
            the loss alone.
    """

    name: str
    recipe: Recipe
    left: float
    numbers: Mapping[str, tuple[float | None, float | None]]

    def to_json(self) -> dict[str, Any]:
        numbers = {name: list(pair) for name, pair in self.numbers.items()}
        return {"name": self.name, "recipe": self.recipe.to_json(), "left": self.left, "numbers": numbers}

    @classmethod
    def from_json(cls, data: object) -> "Tried":
        return built(cls, data)


@dataclass(frozen=True)
class Correlation:
    """How well a number orders the recipes.

    Args:
        estimate, low, high: rank correlation with the retrained number, and its interval.
        gain, gain_low, gain_high: minus that of the one-shot number, on the same resampled recipes.
    """

    number: str
    estimate: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float

    @property
    def verdict(self) -> str:
        """Return whether it orders the recipes better than the one-shot number."""
        if self.number == "one_shot":
            return ""
        if self.gain_low > 0:
            return "better than right after the cut"
        return "worse than right after the cut" if self.gain_high < 0 else "no difference beyond noise"


@dataclass(frozen=True)
class LiveNumbers:
    """What is known so far.

    Args:
        subject: the name of the model.
        metric, better: the deciding metric, and whether "higher" or "lower" is better.
        dense: (value, loss) of the dense model.
    """

    subject: str
    plan: LivePlan
    metric: str
    better: str
    dense: tuple[float | None, float | None]
    samples: int
    tried: tuple[Tried, ...] = ()

    @property
    def finished(self) -> bool:
        return len(self.tried) >= self.plan.recipes

    def pairs(self, number: str, quantity: Quantity = "value") -> list[tuple[Tried, float, float]]:
        """Return (recipe, number, retrained number) where both are known; a prediction has the sign of the
        quantity.
        """
        return [
            (one, a, b)
            for one in self.tried
            if (a := self._number(one, number, quantity)) is not None
            and (b := self._number(one, RETRAINED, quantity)) is not None
        ]

    def _number(self, one: Tried, number: str, quantity: Quantity) -> float | None:
        pair = one.numbers.get(number)
        if pair is None:
            return None
        if number == "first_order":  # only the loss is predicted
            return -pair[1] if quantity == "value" and self.better == "higher" and pair[1] else pair[1]
        return pair[0] if quantity == "value" else pair[1]

    def columns(self, quantity: Quantity = "value") -> tuple[Tensor, dict[str, Tensor]]:
        """Return (recipes,) retrained numbers, and each number that is known for all recipes."""
        known = {number: self.pairs(number, quantity) for number in NUMBERS}
        full = {number: own for number, own in known.items() if len(own) == len(self.tried) >= FEWEST}
        retrained = [b for _, _, b in next(iter(full.values()), [])]
        columns = {number: _tensor([a for _, a, _ in own]) for number, own in full.items()}
        return _tensor(retrained), columns

    def correlations(self, quantity: Quantity = "value") -> tuple[Correlation, ...]:
        """Return the rank correlation of each number that is known for all recipes."""
        return pooled((self,), quantity)

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.subject,
            "plan": asdict(self.plan),
            "metric": self.metric,
            "better": self.better,
            "dense": list(self.dense),
            "samples": self.samples,
            "correlations": {
                quantity: [asdict(one) | {"verdict": one.verdict} for one in self.correlations(quantity)]
                for quantity in ("value", "loss")
            },
            "recipes": [one.to_json() for one in self.tried],
        }


def resampled(a: Tensor, b: Tensor) -> Tensor:
    """Return (resamples,) rank correlations of recipes that are drawn with replacement, the same for every
    number; where one side does not vary it is 0, which says that it orders nothing.
    """
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(len(a), (RESAMPLES, len(a)), generator=generator)
    x, y = (rows - rows.mean(1, keepdim=True) for rows in (row_ranks(a[drawn]), row_ranks(b[drawn])))
    scale = (x.square().sum(1) * y.square().sum(1)).sqrt()
    return torch.where(scale > 0, (x * y).sum(1) / scale.clamp(min=1e-300), 0.0)


def interval(values: Tensor) -> tuple[float, float]:
    """Return the ends that leave out the same share of resamples on both sides."""
    ends = torch.tensor([(1 - LEVEL) / 2, (1 + LEVEL) / 2], dtype=torch.double)
    low, high = values.quantile(ends).tolist()
    return low, high


def pooled(studies: Sequence[LiveNumbers], quantity: Quantity = "value") -> tuple[Correlation, ...]:
    """Return the mean over models of each number's rank correlation; recipes are resampled within each
    model. A number that some model lacks is left out.
    """
    every = [study.columns(quantity) for study in studies]
    known = [n for n in NUMBERS if every and all(n in columns for _, columns in every)]
    if "one_shot" not in known:
        return ()
    estimates = {n: _mean([spearman(own[n], end) or 0.0 for end, own in every]) for n in known}
    spreads = {n: torch.stack([resampled(own[n], end) for end, own in every]).mean(0) for n in known}
    return tuple(
        Correlation(
            number,
            estimates[number],
            *interval(spreads[number]),
            estimates[number] - estimates["one_shot"],
            *interval(spreads[number] - spreads["one_shot"]),
        )
        for number in known
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _tensor(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.double)
