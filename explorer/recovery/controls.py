"""What a recovered model has to be compared with: fair controls of the same budget, and the spread over
seeds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean, stdev

from ..measuring.number_words import format_value
from ..values.choice import Choice
from ..values.recipe import Recipe
from ..values.report import Measurement
from .training_plan import RecoveryPlan

# the 97.5 % quantile of Student's t with 1, 2, ... degrees of freedom, one less than the number of seeds
QUANTILES = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


@dataclass(frozen=True)
class Control:
    """Another recovery that answers one question about the first.

    Args:
        question: the question, for the screen.
    """

    name: str
    question: str
    recipe: Recipe
    plan: RecoveryPlan


def controls(recipe: Recipe, plan: RecoveryPlan) -> tuple[Control, ...]:
    """Return controls with as many epochs as the plan, one for each seed of random pruning; a plan is not its
    own control.

    Random pruning keeps the ratio of each part, so that only the choice within the parts differs.
    """
    simple = replace(plan, method="finetune", distillation_weight=0.0)
    drawn = [
        Control(
            f"random pruning, seed {seed}",
            "Does the criterion matter, or only the ratios?",
            replace(recipe, criterion=Choice("random"), seed=seed),
            replace(plan, seeds=(seed,)),
        )
        for seed in plan.seeds
        if recipe.criterion.name != "random"
    ]
    scratch = Control(
        "from scratch",
        "Are the old weights worth anything, or only the smaller architecture (Liu et al. 2019)?",
        recipe,
        replace(plan, method="scratch", schedule="one_cycle", distillation_weight=0.0),
    )
    return (
        Control(
            "dense, same budget",
            "Would the dense model have gained as much from the same training?",
            Recipe(),
            simple,
        ),
        *drawn,
        *([scratch] if plan.method != "scratch" else []),
    )


@dataclass(frozen=True)
class Spread:
    """The mean of a metric over seeds with its 95 % t-interval, of fractions within [0, 1]; a single seed
    shows no spread, so its interval has no width.
    """

    mean: float
    low: float
    high: float
    seeds: int


def spread_of(measured: Sequence[Measurement]) -> Spread:
    """Return the spread of the metric that decides."""
    is_fraction = all(one.unit in ("%", None) for one in measured)
    return spread([one.value or 0.0 for one in measured], is_fraction=is_fraction)


def spread_words(over: Spread, unit: str | None) -> str:
    """Return a spread in words.

    >>> spread_words(Spread(0.92, 0.87, 0.97, 3), "%"), spread_words(Spread(1.5, 1.25, 1.75, 3), "m")
    ('92.0 % (87.0 to 97.0)', '1.5 m (1.25 to 1.75)')
    """
    scale, form = (100, ".1f") if unit == "%" else (1, ".4g")
    ends = f"{over.low * scale:{form}} to {over.high * scale:{form}}"
    return f"{format_value(over.mean, unit)} ({ends})"


def spread(values: Sequence[float], *, is_fraction: bool = True) -> Spread:
    """Return the spread of values, of fractions within [0, 1].

    >>> found = spread([0.90, 0.92, 0.94])
    >>> round(found.mean, 3), round(found.low, 3), round(found.high, 3)
    (0.92, 0.87, 0.97)

    Raises:
        ValueError: no values, or more than there are quantiles for.
    """
    if not 1 <= len(values) <= len(QUANTILES) + 1:
        raise ValueError(f"A spread needs 1 to {len(QUANTILES) + 1} values, got {len(values)}.")
    centre = mean(values)
    half = QUANTILES[len(values) - 2] * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    low, high = centre - half, centre + half
    return Spread(centre, *((max(0.0, low), min(1.0, high)) if is_fraction else (low, high)), len(values))
