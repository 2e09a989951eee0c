"""Which drops of a scan are real? All its points are one family, so Holm's correction accounts for the many
questions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from ...measuring.statistics import holm, paired_p_value

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
    points: Iterable[tuple[str, float, float, int, int, float]],
) -> dict[tuple[str, float], PointFinding]:
    """Return (part, ratio) -> finding.

    Ratios that lead to the same cut of a part are one question, and count once in the family.

    Args:
        points: (part, ratio, achieved, worse, better, level of the interval).
    """
    rows = list(points)
    asked = {
        (part, achieved): _paid(worse, better, level) for part, _, achieved, worse, better, level in rows
    }
    adjusted = dict(zip(asked, holm(list(asked.values())), strict=True))
    return {
        (part, ratio): _finding(asked[part, achieved], adjusted[part, achieved], worse - better)
        for part, ratio, achieved, worse, better, _ in rows
    }


def _paid(worse: int, better: int, level: float) -> float:
    """Return the p-value, corrected as much as the interval is by a level above 0.95."""
    return min(1.0, _p_value(worse, better) * ALPHA / (1 - level))


@lru_cache(maxsize=4096)
def _p_value(worse: int, better: int) -> float:
    return paired_p_value(worse, better)


def _finding(p_value: float, adjusted: float, lost: int) -> PointFinding:
    if adjusted > ALPHA:
        return PointFinding(p_value, adjusted, "not distinguishable")
    return PointFinding(p_value, adjusted, "worse" if lost > 0 else "better")
