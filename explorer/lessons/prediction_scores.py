"""Scores a prediction by how close it is to the measurement. A guess is never called wrong if the measurement
cannot decide.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ..measuring.statistics import paired_drop
from .evidence import ArmPoint, Evidence
from .values import VERDICTS, Case, Lesson
from .verdicts import Finding, cost_of, interval
from .wording import counted

NEAR = 0.05  # five points count as near
Guess = Mapping[float, float] | float | int  # x -> accuracy; a fraction; the position of an option


@dataclass(frozen=True)
class Score:
    """The score of a guess: points out of 100, and a sentence that says why."""

    points: int
    text: str


def score(lesson: Lesson, guess: Guess, evidence: Evidence, finding: Finding | None) -> Score | None:
    """Score a guess, or return None while the measurement is missing."""
    kind = lesson.prediction.kind
    if kind == "curve" and isinstance(guess, Mapping):
        return _curve(lesson, guess, evidence)
    if kind == "number" and isinstance(guess, float):
        return _number(lesson, guess, evidence)
    if kind == "verdict" and isinstance(guess, int):
        return _verdict(lesson, guess, finding)
    return _arm(lesson, int(guess), evidence) if kind == "arm" and isinstance(guess, int) else None


def _curve(lesson: Lesson, guess: Mapping[float, float], evidence: Evidence) -> Score | None:
    pairs = [
        (guess[p.x], p)
        for p in evidence.of(lesson.prediction.arm)
        if p.x in guess and p.measured.value is not None
    ]
    if len(pairs) < len(guess) or not pairs:
        return None
    errors = [abs(predicted - (point.measured.value or 0.0)) for predicted, point in pairs]
    near = sum(error <= NEAR for error in errors)
    inside = sum((p.measured.low or 0) <= predicted <= (p.measured.high or 1) for predicted, p in pairs)
    mean = sum(errors) / len(errors)
    worst = max(zip(errors, pairs, strict=True), key=lambda pair: pair[0])[1]
    return Score(
        max(0, round(100 * (1 - 2 * mean))),
        f"You were off by {mean * 100:.0f} points on average; {near} of {len(pairs)} points came within 5 "
        "points of the measured "
        f"accuracy, {inside} within its interval. You were furthest off at {worst[1].x * 100:g} %: you said "
        f"{worst[0] * 100:.0f} %, measured was {(worst[1].measured.value or 0) * 100:.1f} %.",
    )


def _number(lesson: Lesson, guess: float, evidence: Evidence) -> Score | None:
    asked = lesson.prediction
    point, dense = evidence.at(asked.arm, asked.x), evidence.dense.get(asked.arm)
    if point is None or dense is None:
        return None
    own, whole = cost_of(point.measured, asked.quantity), cost_of(dense.measured, asked.quantity)
    if own is None or not whole:
        return None
    error = abs(guess - own / whole)
    return Score(
        max(0, round(100 * (1 - 2 * error))),
        f"You said {guess * 100:.0f} %, measured are {own / whole * 100:.1f} %: off by {error * 100:.0f}.",
    )


def _verdict(lesson: Lesson, guess: int, finding: Finding | None) -> Score | None:
    if finding is None:
        return None
    said = lesson.prediction.options[guess].verdict
    if finding.verdict == "open":
        return Score(50, "This measurement cannot tell, so no guess is wrong.")
    right = said == finding.verdict
    told = f"The measurement says: {VERDICTS[finding.verdict].lower()}."
    return Score(
        100 if right else 0, f"As you said. {told}" if right else f"You expected something else. {told}"
    )


def _arm(lesson: Lesson, guess: int, evidence: Evidence) -> Score | None:
    asked = lesson.prediction
    points = [evidence.at(option.arm, asked.x) for option in asked.options]
    if any(point is None for point in points):
        return None
    known = [point for point in points if point is not None]
    sign = 1 if asked.extreme == "highest" else -1
    best, chosen = max(known, key=lambda point: sign * (point.measured.value or 0.0)), known[guess]
    measured = (
        f"{lesson.experiment.arm(best.arm).label} ended {asked.extreme}, at "
        f"{(best.measured.value or 0) * 100:.1f} %"
    )
    if best is chosen:
        return Score(100, f"As you said: {measured}.")
    if _alike(best, chosen):
        return Score(
            80,
            f"Measured: {measured}. Your choice cannot be told apart from it on {counted(evidence)}.",
        )
    return Score(0, f"Measured: {measured}; your choice had {(chosen.measured.value or 0) * 100:.1f} %.")


def _alike(one: ArmPoint, other: ArmPoint) -> bool:
    if one.correct.is_floating_point():
        difference = (one.correct - other.correct)[None]
        low, high = interval(Case("alike", "accuracy", one.arm), difference, 0.95)
        return bool(low[0] <= 0 <= high[0])
    b, c = int((one.correct & ~other.correct).sum()), int((~one.correct & other.correct).sum())
    drop = paired_drop(b, c, len(one.correct))
    return drop.low <= 0 <= drop.high
