"""Compares all ways to win accuracy back, trained alike: the table behind what a paper would claim about
recovery.

Each arm trains for the same number of epochs and chooses its highest learning rate from the same list, by the
loss on the tuning split after a training with a separate seed. Channels are cut to the parameters that single
weights leave, so both kinds of pruning have equally many. Every training is a recovery of its own on disk, so
an interrupted table continues where it was.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf, isfinite
from pathlib import Path
from typing import Any

from ..engine.candidate import prepare
from ..engine.conditions import Conditions
from ..errors import RecipeError
from ..graph.analysed import Analysed
from ..planning.allocate import allocate
from ..planning.allocation import Allocation
from ..planning.recipe_costs import CostModel
from ..pruning.decision import calibrate
from ..values.choice import Choice
from ..values.granularity import CHANNEL, WEIGHT, Graded
from ..values.progress import Returning, Step, Work, reached, result_of
from ..values.recipe import Recipe
from ..values.report import Measurement
from ..values.subject import Subject
from .controls import Spread, controls, spread_of
from .recover import recover
from .training_plan import RecoveryPlan, suggested
from .values import Recovery

ALLOCATOR = Choice("global_threshold")
UNCOUNTED = 1_000_003  # seed of the trainings that choose the rate
BISECTIONS = 12
LEAST_EPOCHS = 2
RETRAINED, ITERATIVE, RANDOM, SCRATCH = "retrained", "iterative", "random, retrained", "from scratch"
KINDS: tuple[Graded, ...] = (WEIGHT, CHANNEL)  # in the order of the rows


@dataclass(frozen=True)
class TablePlan:
    """What is compared.

    Args:
        ratios: of single weights removed; channels are removed until as many parameters are left.
        epochs: of every arm.
        seeds: of every arm, counted in the result.
        rates: the list from which every arm chooses its highest learning rate.
        kinds: what is removed: single weights, channels, or both.
    Raises:
        RecipeError: a value is not allowed.
    """

    ratios: tuple[float, ...] = (0.5, 0.7, 0.9, 0.95)
    epochs: int = 20
    seeds: tuple[int, ...] = (0, 1, 2)
    rates: tuple[float, ...] = (0.1, 0.03, 0.01, 0.003)
    kinds: tuple[Graded, ...] = KINDS

    def __post_init__(self) -> None:
        if self.epochs < LEAST_EPOCHS:
            raise RecipeError(
                "One arm of the table prunes in rounds of an epoch or more, so each arm needs at least "
                f"{LEAST_EPOCHS} epochs, got {self.epochs}."
            )
        for name in ("ratios", "seeds", "rates", "kinds"):
            given = getattr(self, name)
            if not given or len(set(given)) != len(given):
                raise RecipeError(f"{name!r} must list one or more values, each once, got {str(given)[:80]}.")
        for rate in self.rates:  # each training is refused here, and not when it is its turn
            RecoveryPlan(epochs=self.epochs, learning_rate=rate, seeds=self.seeds)


@dataclass(frozen=True)
class RecoveryRow:
    """One way to get one pruned model.

    Args:
        kind, ratio: what was cut, and how much of the single weights (or of as many parameters); "" and 0 for
            the dense model.
        arm: "one-shot", "recalibrated", "retrained" ...
        measured: one per seed; arms without randomness have one.
        learning_rate: chosen for this arm; None if nothing is trained.
        macs: multiply-adds for one sample of the pruned model.
    """

    kind: str
    ratio: float
    arm: str
    measured: tuple[Measurement, ...]
    learning_rate: float | None = None
    macs: int | None = None

    @property
    def mean(self) -> Spread:
        """Return the mean over seeds of the metric that decides."""
        return spread_of(self.measured)

    def to_json(self) -> dict[str, Any]:
        return vars(self) | {
            "measured": [one.to_json() for one in self.measured],
            "mean": vars(self.mean),
        }


def rates_of(subject: Subject) -> tuple[float, ...]:
    """Return rates around the highest rate that the model itself was trained with; small models often prefer
    a higher one.
    """
    highest = suggested(subject, "rewind").learning_rate
    return tuple(float(f"{highest * factor:.1g}") for factor in (10.0, 3.0, 1.0, 0.3))


def trainings(plan: TablePlan) -> int:
    """Return the number of trainings of all arms together."""
    cells = len(plan.ratios) * len(plan.kinds) * 4 + 1
    return cells * ((len(plan.rates) if len(plan.rates) > 1 else 0) + len(plan.seeds))


Trainer = Callable[[Analysed, Recipe, RecoveryPlan, Conditions], Work[Recovery]]


@dataclass(frozen=True, eq=False)
class TableArm:
    """One way to get one pruned model, before it is trained.

    Args:
        recipe, how: what is cut and trained.
    """

    kind: str
    ratio: float
    name: str
    recipe: Recipe
    how: RecoveryPlan
    macs: int | None


def recovery_table(
    model: Analysed,
    recipe: Recipe,
    plan: TablePlan,
    conditions: Conditions,
    *,
    root: Path | None = None,
) -> Work[tuple[RecoveryRow, ...]]:
    """Yield the rows so far after each arm, and Progress at least once per batch.

    Args:
        recipe: its criterion and reduction are used; ratios are chosen by one threshold over all parts.
        conditions: what is measured; rates are always chosen on the tuning split.
    Raises:
        ExplorerError: the criterion cannot rate this model, a ratio cannot be reached, or there is no
            training data.
    """
    yield from calibrate(model, recipe, conditions.device)
    bench = TrainingBench(model, plan, conditions, partial(recover, root=root))
    rows: tuple[RecoveryRow, ...] = ()
    arms: list[TableArm] = []
    for arm in arms_of(model, recipe, plan, conditions.device):  # all, before the first one trains
        arms.append(arm)
        yield reached(0, len(arms), "Choosing what is cut")
    for arm in arms:
        found = yield from bench.rows(arm)
        rows = (*rows, *found)
        yield Step(rows)


def arms_of(model: Analysed, recipe: Recipe, plan: TablePlan, device: str) -> Iterator[TableArm]:
    """Yield all arms in the order of the table: the dense model first.

    Raises:
        ExplorerError: as of `recovery_table`.
    """
    simple = suggested(model.subject, epochs=plan.epochs)
    yield TableArm("", 0.0, RETRAINED, Recipe(), simple, model.profile.macs)
    for ratio in plan.ratios:
        for kind in plan.kinds:
            cut = recipe_at(model, recipe, kind, ratio, device)
            macs = prepare(model, cut, device).static.macs
            for name, how, own in _arms(cut, simple):
                yield TableArm(kind, ratio, name, own, how, macs)


def _arms(cut: Recipe, simple: RecoveryPlan) -> Iterator[tuple[str, RecoveryPlan, Recipe]]:
    """Yield arm, plan and recipe, including the fair controls of `controls`."""
    yield RETRAINED, simple, cut
    yield ITERATIVE, replace(simple, method="iterative"), cut
    yield RANDOM, simple, replace(cut, criterion=Choice("random"))
    yield SCRATCH, controls(cut, simple)[-1].plan, cut


def _untrained(
    kind: str, ratio: float, arm: str, found: Sequence[Recovery], macs: int | None
) -> Iterator[RecoveryRow]:
    if arm not in (RETRAINED, RANDOM):
        return
    before, seeds = ("random, ", found) if arm == RANDOM else ("", found[:1])
    yield RecoveryRow(
        kind, ratio, f"{before}one-shot", tuple(one.one_shot.measurement for one in seeds), macs=macs
    )
    again = tuple(one.recalibrated.measurement for one in seeds if one.recalibrated)
    if again:
        yield RecoveryRow(kind, ratio, f"{before}recalibrated", again, macs=macs)


def _ends(found: Sequence[Recovery]) -> tuple[Measurement, ...]:
    return tuple(one.recovered[0].measurement for one in found)


# --------------------------------------------------------------------------- what is cut


def recipe_at(model: Analysed, recipe: Recipe, kind: str, ratio: float, device: str = "cpu") -> Recipe:
    """Return the recipe with one threshold over all parts: this share of single weights, or channels down to
    as many parameters.

    Raises:
        TargetError: the ratio leaves less than one unit per part.
    """
    bare = replace(recipe, channels={}, weights={}, keep={}, remove={})
    weights = allocate(model, bare, Allocation(ALLOCATOR, ratio, WEIGHT), device)
    if kind == WEIGHT:
        return weights
    costs = CostModel.of(model)
    wanted = costs.cost(weights, "params")
    low, high, best = 0.0, ratio, (inf, bare)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        tried = allocate(model, bare, Allocation(ALLOCATOR, middle), device)
        left = costs.cost(tried, "params")
        best = min(best, (abs(left - wanted), tried), key=lambda found: found[0])
        low, high = (middle, high) if left > wanted else (low, middle)
    return best[1]


# --------------------------------------------------------------------------- what is trained


@dataclass(frozen=True, eq=False)
class TrainingBench:
    """Trains all arms under the same conditions.

    Args:
        start: begins a recovery, and may go on with it before the first step is taken.
    """

    model: Analysed
    plan: TablePlan
    conditions: Conditions
    start: Trainer

    def rows(self, arm: TableArm) -> Returning[tuple[RecoveryRow, ...]]:
        """Train an arm and return its row, after those of the same cut that need no training."""
        runs, rate = yield from self._trained(arm.recipe, arm.how)
        row = RecoveryRow(arm.kind, arm.ratio, arm.name, _ends(runs), rate, arm.macs)
        if not arm.kind:
            untouched = RecoveryRow("", 0.0, "as it came", (runs[0].baseline,), macs=arm.macs)
            return (untouched, row)
        return (*_untrained(arm.kind, arm.ratio, arm.name, runs, arm.macs), row)

    def _trained(self, recipe: Recipe, how: RecoveryPlan) -> Returning[tuple[list[Recovery], float]]:
        """Train a recovery for each seed, and return the rate that they share: that of the lowest loss on the
        tuning split.
        """
        rate = self.plan.rates[0]
        if len(self.plan.rates) > 1:
            tuning, losses = replace(self.conditions, split="tuning"), {}
            begun = [
                self._begun(recipe, replace(how, learning_rate=tried), UNCOUNTED, tuning)
                for tried in self.plan.rates
            ]
            for tried, steps in zip(self.plan.rates, begun, strict=True):
                recovery = yield from result_of(steps)
                loss = recovery.recovered[0].measurement.loss
                losses[tried] = loss if loss is not None and isfinite(loss) else inf
            rate = min(losses, key=lambda one: losses[one])
        best, done = replace(how, learning_rate=rate), []
        begun = [self._begun(recipe, best, seed, self.conditions) for seed in self.plan.seeds]
        for steps in begun:
            done.append((yield from result_of(steps)))
        return done, rate

    def _begun(self, recipe: Recipe, how: RecoveryPlan, seed: int, conditions: Conditions) -> Work[Recovery]:
        own = replace(recipe, seed=seed) if recipe.criterion.name == "random" else recipe
        return self.start(self.model, own, replace(how, seeds=(seed,)), conditions)
