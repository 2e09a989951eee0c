"""Which drops of a scan are real? All its points are one family, so Holm's correction accounts for the many
questions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ...measuring.statistics import holm

ALPHA = 0.05
FindingWord = Literal["worse", "better", "not distinguishable"]


@dataclass(frozen=True)
class PointFinding:
    """One point among all others of its scan.

    Args:
        p_value: of the paired test, before Holm's correction; it is already corrected for points that could
            have stopped earlier.
        p_adjusted: after Holm's correction over the scan.
        word: "worse" or "better" if p_adjusted is at most 0.05.
    """

    p_value: float
    p_adjusted: float
    word: FindingWord

    def to_json(self) -> dict[str, Any]:
        return {"p_value": self.p_value, "p_holm": self.p_adjusted, "finding": self.word}


def findings(
    points: Iterable[tuple[str, float, float, float, float, float]],
) -> dict[tuple[str, float], PointFinding]:
    """Return (part, ratio) -> finding.

    Ratios that lead to the same cut of a part are one question, and count once in the family.

    Args:
        points: (part, ratio, achieved, p-value, loss of quality, level of the interval).
    """
    rows = list(points)
    asked = {(part, achieved): _paid(p_value, level) for part, _, achieved, p_value, _, level in rows}
    adjusted = dict(zip(asked, holm(list(asked.values())), strict=True))
    return {
        (part, ratio): _finding(asked[part, achieved], adjusted[part, achieved], lost)
        for part, ratio, achieved, _, lost, _ in rows
    }


def _paid(p_value: float, level: float) -> float:
    """Return the p-value; where an interval pays with a level above 0.95, the test pays as much."""
    return min(1.0, p_value * ALPHA / (1 - level))


def _finding(p_value: float, adjusted: float, lost: float) -> PointFinding:
    if adjusted > ALPHA:
        return PointFinding(p_value, adjusted, "not distinguishable")
    return PointFinding(p_value, adjusted, "worse" if lost > 0 else "better")
