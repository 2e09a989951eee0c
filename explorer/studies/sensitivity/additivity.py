"""Do the drops of single parts add up to the drop of the whole plan? Often not, so a plan is measured as a
whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import NormalDist
from typing import Any

from ...errors import ExplorerError
from ...measuring.metric_words import metric_title
from ...values.granularity import CHANNEL, PLURALS, WEIGHT, Graded
from ...values.recipe import Recipe
from ...values.report import Drop, Report, Verdict
from .values import Scan, SensitivityPoint

DELTA = 0.01  # a gap below one point has no practical importance


@dataclass(frozen=True)
class Additivity:
    """Accuracy that a plan loses as a whole, against the sum of what its parts lose alone.

    Args:
        parts: how many parts the sum is over.
        expected, measured: drops, fractions; positive is worse.
        gap: measured - expected, with its 95 % interval; positive means that the plan is worse than the sum.
        verdict: "different" (they do not add up), "equivalent" (within one point), "undecided".
    """

    parts: int
    expected: float
    measured: float
    gap: float
    low: float
    high: float
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}


def additivity(scan: Scan, recipe: Recipe, report: Report) -> Additivity:
    """Compare the measured drop of a recipe with the sum of its parts' drops in a scan.

    Between two scanned ratios the drop is interpolated. All points were measured on the same samples, so
    their errors may be correlated; half-widths are therefore added, which is never too narrow.

    Raises:
        ExplorerError: the report has no drop, it is not one of a fraction, or the scan does not cover the
            recipe.
    """
    if report.drop is None:
        raise ExplorerError("Without data there is no measured drop to compare with.")
    if report.drop.unit != "%" or report.drop.better == "lower":
        raise ExplorerError(
            f"Drops are added up for fractions such as accuracy, not for {metric_title(report.drop.metric)}."
        )
    if scan.plan.is_repaired != (recipe.after == "least_squares"):
        raise ExplorerError("Either the scan or the recipe is repaired by least squares, so they differ.")
    other: Graded = WEIGHT if scan.plan.granularity == CHANNEL else CHANNEL
    if recipe.ratios(other) or recipe.remove:
        raise ExplorerError(
            f"The scan covers {PLURALS[scan.plan.granularity]} alone, and the recipe removes others too."
        )
    singles = [_single(scan, part, ratio) for part, ratio in recipe.ratios(scan.plan.granularity).items()]
    expected = sum(estimate for estimate, _ in singles)
    error = sum(error for _, error in singles) + _standard_error(report.drop)
    gap, half = report.drop.estimate - expected, NormalDist().inv_cdf(0.975) * error
    return Additivity(
        len(singles),
        expected,
        report.drop.estimate,
        gap,
        gap - half,
        gap + half,
        _verdict(gap - half, gap + half),
    )


def _verdict(low: float, high: float) -> Verdict:
    if low > 0 or high < 0:
        return "different"
    return "equivalent" if max(-low, high) < DELTA else "undecided"


def _standard_error(drop: Drop) -> float:
    return (drop.high - drop.low) / 2 / NormalDist().inv_cdf((1 + drop.level) / 2)


def _single(scan: Scan, part: str, ratio: float) -> tuple[float, float]:
    """Return (drop, its standard error) of one part at a ratio, interpolated between the scanned ratios
    around it.
    """
    points = scan.by_part.get(part, ())
    above = next((point for point in points if point.ratio >= ratio), None)
    if above is None:
        raise ExplorerError(
            f"The scan does not reach ratio {ratio:g} of {part[:80]!r}; scan a larger ratio too."
        )
    below = _last_below(points, ratio)
    low, low_error, start = (
        (below.drop.estimate, _standard_error(below.drop), below.ratio) if below else (0.0, 0.0, 0.0)
    )
    share = (ratio - start) / (above.ratio - start)
    error = (1 - share) * low_error + share * _standard_error(above.drop)
    return (1 - share) * low + share * above.drop.estimate, error


def _last_below(points: Sequence[SensitivityPoint], ratio: float) -> SensitivityPoint | None:
    below = [point for point in points if point.ratio < ratio]
    return below[-1] if below else None
