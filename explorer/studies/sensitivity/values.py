"""What a sensitivity scan has to measure, and what it knows."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ...errors import RecipeError
from ...measuring.statistics import p_value_of, paired_p_value
from ...values.granularity import CHANNEL, GRADED, Graded
from ...values.recipe import Recipe, check_ratio
from ...values.report import Drop, Measurement
from .findings import PointFinding, findings
from .stopping import Reach

RATIOS = tuple(i / 10 for i in range(1, 10))
RELATIVE_TOLERANCE = 0.2  # of the drop itself: nobody needs to know a drop of 50 points to within one point
NO_LOSS = {"loss": None, "loss_growth": None}  # in JSON, where the task has none
DENSE = Recipe()


@dataclass(frozen=True)
class ScanPlan:
    """What is scanned.

    Args:
        granularity: a part is a coupled group of channels, or a layer's weights.
        ratios: fractions removed, one point each for every part.
        tolerance: half-width at which a point is done (or a fifth of its drop, if more), of the interval for
            the result on all samples; None = exact.
        recipe: how units are ranked (criterion, reduction, pattern, round_to, seed), and whether each point
            is repaired by least squares; its ratios, choices by hand and other repairs are ignored.
    Raises:
        RecipeError: a value is not allowed.
    """

    granularity: Graded = CHANNEL
    ratios: tuple[float, ...] = RATIOS
    tolerance: float | None = 0.01
    recipe: Recipe = DENSE

    def __post_init__(self) -> None:
        if self.granularity not in GRADED:
            raise RecipeError(f"Granularity must be {' or '.join(GRADED)}, got {self.granularity!r}.")
        if self.tolerance is not None and not 0 < self.tolerance < 1:
            raise RecipeError(f"Tolerance must be in (0, 1), got {self.tolerance!r}.")
        kept = sorted({check_ratio("the scan", ratio) for ratio in self.ratios} - {0.0})
        if not kept:
            raise RecipeError("A scan needs at least one ratio above 0, such as 0.5.")
        after = "least_squares" if self.recipe.after == "least_squares" else "none"
        bare = replace(self.recipe, channels={}, weights={}, keep={}, remove={}, blocks=())
        settings = replace(bare, after=after)
        object.__setattr__(self, "ratios", tuple(kept))
        object.__setattr__(self, "recipe", settings)

    @property
    def is_repaired(self) -> bool:
        """Whether each point is repaired before it is measured."""
        return self.recipe.after == "least_squares"

    def is_enough(self, reach: Reach, estimate: float, scale: float = 1.0) -> bool:
        """Whether an adaptive scan knows this drop well enough.

        Args:
            scale: of the tolerance, for metrics whose numbers have another size than accuracy's.
        """
        if self.tolerance is None:
            return False
        return reach.half_width <= max(self.tolerance * scale, RELATIVE_TOLERANCE * abs(estimate))


@dataclass(frozen=True)
class SensitivityPoint:
    """One part at one ratio.

    Args:
        achieved: fraction of its units that was really removed.
        correct: of `samples`.
        drop: of the accuracy against the dense model on the same samples; its interval and verdict are about
            new samples.
        reach: interval of the drop on all samples of the split; an adaptive scan stops on its width.
        worse, better: right before and wrong after, and the reverse.
        loss: mean cross-entropy.
        loss_growth: mean growth of the cross-entropy against the dense model on the same samples.
        value: of the deciding metric, if that is not accuracy; `correct`, `worse` and `better` are then 0.
        finished: exact: all samples were seen; adaptive: the drop is known well enough, or all were seen.
    """

    part: str
    granularity: Graded
    ratio: float
    achieved: float
    correct: int
    samples: int
    drop: Drop
    reach: Reach
    worse: int
    better: int
    loss: float
    loss_growth: float
    finished: bool
    value: float | None = None

    def p_value(self) -> float:
        """Return the p-value of the paired test; for a metric that right and wrong do not determine, the one
        that its interval implies.
        """
        if self.drop.metric == "accuracy":
            return paired_p_value(self.worse, self.better)
        return p_value_of(self.drop)

    def to_json(self) -> dict[str, Any]:
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "reach"}
        return plain | {"drop": self.drop.to_json(), "exact_drop": self.reach.to_json()}


@dataclass(frozen=True)
class Scan:
    """What a scan knows so far; points in the order of the graph, then of their ratio.

    Args:
        subject: id, name and task.
        baseline: the dense model on the first samples.
        total_samples: samples that an exact point sees.
        expected: how many points there will be.
    """

    subject: Mapping[str, str]
    plan: ScanPlan
    baseline: Measurement
    points: tuple[SensitivityPoint, ...]
    total_samples: int
    expected: int
    notes: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether everything is measured."""
        return len(self.points) == self.expected and all(point.finished for point in self.points)

    @property
    def by_part(self) -> dict[str, tuple[SensitivityPoint, ...]]:
        """Return each part's points, ratios rising."""
        found: dict[str, tuple[SensitivityPoint, ...]] = {}
        for point in self.points:
            found[point.part] = (*found.get(point.part, ()), point)
        return found

    def findings(self) -> dict[tuple[str, float], PointFinding]:
        """Return (part, ratio) -> whether its drop is real, with all points of this scan as one family."""
        return findings(
            (p.part, p.ratio, p.achieved, p.p_value(), p.drop.loss, p.drop.level) for p in self.points
        )

    def drops(self) -> dict[str, tuple[tuple[float, float], ...]]:
        """Return each part's (ratio, estimated loss of the deciding metric) pairs, higher is worse."""
        return {part: tuple((p.ratio, p.drop.loss) for p in points) for part, points in self.by_part.items()}

    @property
    def has_loss(self) -> bool:
        """Whether the dense model's loss is known; agreement without labels has none."""
        return self.baseline.loss is not None

    def losses(self) -> dict[str, tuple[tuple[float, float], ...]]:
        """Return each part's (ratio, growth of the loss) pairs; where the task has no loss, what the deciding
        metric loses.
        """
        if not self.has_loss:
            return self.drops()
        return {
            part: tuple((p.ratio, p.loss_growth) for p in points) for part, points in self.by_part.items()
        }

    def to_json(self) -> dict[str, Any]:
        plan, judged = self.plan, self.findings()
        points = [point.to_json() | judged[point.part, point.ratio].to_json() for point in self.points]
        return {
            "subject": dict(self.subject),
            "granularity": plan.granularity,
            "ratios": list(plan.ratios),
            "tolerance": plan.tolerance,
            "mode": "exact" if plan.tolerance is None else "adaptive",
            "recipe": plan.recipe.to_json(),
            "baseline": self.baseline.to_json(),
            "points": points if self.has_loss else [point | NO_LOSS for point in points],
            "finished": self.finished,
            "total_samples": self.total_samples,
            "expected_points": self.expected,
            "notes": list(self.notes),
        }
