"""Counts -> intervals and verdicts: how reliable a measured accuracy is. Plain arithmetic, no tensors."""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from statistics import NormalDist

from ..values.report import Drop, Verdict


def _quantile(level: float) -> float:
    """Return the half-width of the central `level` of a standard normal, in standard deviations."""
    if not 0 < level < 1:
        raise ValueError(f"A confidence level must be in (0, 1), got {level!r}.")
    return NormalDist().inv_cdf((1 + level) / 2)


def _check_counts(part: int, samples: int) -> None:
    if samples < 1 or not 0 <= part <= samples:
        raise ValueError(
            f"Counts must satisfy 0 <= count <= samples and samples >= 1, got {part} of {samples}."
        )


def wilson(correct: int, samples: int, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of a fraction, in [0, 1]; it has a width even at 0 % and 100 %.

    Wilson 1927, doi:10.1080/01621459.1927.10502953.
    Raises: ValueError: no samples, or more correct than samples.

    >>> [round(bound, 3) for bound in wilson(10, 10)]
    [0.722, 1.0]
    """
    _check_counts(correct, samples)
    z = _quantile(level)
    fraction, shrink = correct / samples, 1 + z * z / samples
    centre = (fraction + z * z / (2 * samples)) / shrink
    half = z / shrink * math.sqrt(fraction * (1 - fraction) / samples + z * z / (4 * samples * samples))
    return max(0.0, centre - half), min(1.0, centre + half)


def verdict(low: float, high: float, delta: float) -> Verdict:
    """Return the verdict on an interval of a difference; a change below `delta` has no practical
    importance.
    """
    if low > 0 or high < 0:
        return "different"
    return "equivalent" if -delta < low and high < delta else "undecided"


def paired_drop(b: int, c: int, samples: int, *, delta: float = 0.01, level: float = 0.95) -> Drop:
    """Return the drop of accuracy between two models on the same samples, with its interval and verdict.

    "different" takes precedence over "equivalent": an interval from 0.2 to 0.6 points is within one point,
    but a difference that is known to exist is never called equivalent; `change_words` adds that it is small.
    The estimate is the plain (b - c) / n; the interval adds one flip of each kind, so it has a width at zero
    flips. At a single look it covers the truth 94 to 100 % of the time, least if all flips are in the same
    direction.

    Bonett and Price 2012, doi:10.3102/1076998611411915.
    Args: b: right before and wrong after. c: wrong before and right after. delta: of no practical importance.
    Raises: ValueError: more flips than samples, or no samples.

    >>> drop = paired_drop(30, 10, 1000)
    >>> drop.estimate, round(drop.low, 4), round(drop.high, 4), drop.verdict
    (0.02, 0.0073, 0.0326, 'different')
    """
    _check_counts(b, samples)
    _check_counts(c, samples)
    _check_counts(b + c, samples)
    n = samples + 2
    worse, better = (b + 1) / n, (c + 1) / n
    half = _quantile(level) * math.sqrt((worse + better - (worse - better) ** 2) / n)
    low, high = max(-1.0, worse - better - half), min(1.0, worse - better + half)
    return Drop((b - c) / samples, low, high, verdict(low, high, delta), level)


@lru_cache(maxsize=4096)
def paired_p_value(b: int, c: int) -> float:
    """Two-sided mid-p McNemar test: how surprising are these flips if both kinds are equally likely?

    Fagerland, Lydersen and Laake 2013, doi:10.1186/1471-2288-13-91.

    >>> round(paired_p_value(1, 7), 4)
    0.0391
    """
    if min(b, c) < 0:
        raise ValueError(f"Flips must be counts from 0, got {b} and {c}.")
    flips, fewer = b + c, min(b, c)
    # logarithms, because the binomial coefficients of a few thousand flips exceed any float
    log_total = math.lgamma(flips + 1) - flips * math.log(2)
    chances = [
        math.exp(log_total - math.lgamma(k + 1) - math.lgamma(flips - k + 1)) for k in range(fewer + 1)
    ]
    return min(1.0, 2 * math.fsum(chances) - chances[-1])


def p_value_of(drop: Drop) -> float:
    """Return the two-sided p-value that the interval of a drop implies for a normal distribution.

    >>> round(p_value_of(Drop(0.02, 0.0, 0.04, "undecided", 0.95)), 4)
    0.05
    """
    half = drop.estimate - drop.low if drop.estimate > 0 else drop.high - drop.estimate
    if not 0 < half < math.inf:
        return 0.0 if half == 0 and drop.estimate else 1.0
    return 2 * (1 - NormalDist().cdf(abs(drop.estimate) / half * _quantile(drop.level)))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return p-values adjusted for being a family, in the order given: reject where adjusted <= alpha.

    Holm 1979, Scandinavian Journal of Statistics 6:65-70.

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    if not all(0 <= p <= 1 for p in p_values):
        raise ValueError(f"P-values must be in [0, 1], got {list(p_values)!r}.")
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    scaled = (min(1.0, p_values[i] * (len(order) - rank)) for rank, i in enumerate(order))
    adjusted = dict(zip(order, accumulate(scaled, max), strict=True))
    return tuple(adjusted[i] for i in range(len(order)))


def looks_level(looks: int, alpha: float = 0.05) -> float:
    """Return the level of each interval if you may stop at any of `looks` looks: 1 - alpha / looks
    (Bonferroni).

    Six looks at 95 % each, stopping at the first verdict, miss the truth about 18 % of the time (simulated in
    the tests).

    >>> round(looks_level(5), 4)
    0.99
    """
    if looks < 1:
        raise ValueError(f"There must be at least one look, got {looks}.")
    return 1 - alpha / looks


def look_schedule(total: int, first: int = 256) -> tuple[int, ...]:
    """Return the samples seen at each look, fixed in advance: the first is small, then each look doubles
    them.

    >>> look_schedule(5000)
    (256, 512, 1024, 2048, 4096, 5000)
    """
    if total < 1 or first < 1:
        raise ValueError(
            f"A schedule needs at least one sample in all and in its first look, got {total} and {first}."
        )
    doublings = max(0, math.ceil(math.log2(total / first)))
    return (*(first * 2**k for k in range(doublings)), total)


def openings_level(times: int, alpha: float = 0.05) -> float:
    """Return the level of an interval when held-out data is opened for the `times`-th time: 1 - alpha / (k (k
    + 1)).

    The shares of all openings, however many there are, sum to alpha.

    >>> openings_level(1), round(openings_level(2), 4)
    (0.975, 0.9917)
    """
    if times < 1:
        raise ValueError(f"There must be at least one opening, got {times}.")
    return 1 - alpha / (times * (times + 1))


def student_quantile(level: float, freedom: int) -> float:
    """Return the half-width of the central `level` of Student's t, by its expansion around the normal one
    (Abramowitz and Stegun 26.7.5).

    >>> round(student_quantile(0.95, 49), 3), round(student_quantile(0.95, 10), 3)
    (2.01, 2.228)
    """
    z, v = _quantile(level), freedom
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / v + second / v**2 + third / v**3
