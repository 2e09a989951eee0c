"""Schedules over a recovery: strength of the pruning over rounds, learning rate over steps. Pure
functions.
"""

import math
from collections.abc import Callable

PRUNING = ("one_shot", "linear", "cubic")
LEARNING_RATES = ("constant", "linear", "cosine", "one_cycle")
WARM, START, END = (
    0.25,
    25.0,
    1e4,
)  # of one_cycle: share of steps that warms up, peak / first rate, first / last rate


def strengths(schedule: str, rounds: int) -> tuple[float, ...]:
    """Return the fraction of the final ratios that is removed after each round; the last is exactly 1.

    "linear" removes as much in each round; "cubic" most in the first, 1 - (1 - t)^3 (Zhu and Gupta 2017,
    arXiv:1710.01878, "automated gradual pruning", from nothing); "one_shot" everything in the first.

    >>> strengths("linear", 4)
    (0.25, 0.5, 0.75, 1.0)
    >>> [round(s, 4) for s in strengths("cubic", 4)]
    [0.5781, 0.875, 0.9844, 1.0]
    >>> strengths("one_shot", 2)
    (1.0, 1.0)
    """
    at: Callable[[float], float] = {
        "one_shot": lambda t: 1.0,
        "linear": lambda t: t,
        "cubic": lambda t: 1 - (1 - t) ** 3,
    }[schedule]
    return (*(at(done / rounds) for done in range(1, rounds)), 1.0)


def shares(epochs: int, rounds: int) -> tuple[int, ...]:
    """Return whole epochs for each round; the remainder is given to the last ones, which have the most to
    repair.

    >>> shares(10, 4)
    (2, 2, 3, 3)
    """
    each, left = divmod(epochs, rounds)
    return (each,) * (rounds - left) + (each + 1,) * left


def learning_rate(schedule: str, step: int, steps: int, highest: float) -> float:
    """Return the learning rate of a step, from 0 to steps - 1.

    "constant" stays at the highest; "linear" and "cosine" fall from it towards 0, which they would reach one
    step after the end; "one_cycle" rises by a cosine to the highest over the first quarter and falls by a
    cosine to almost 0 (Smith and Topin 2018, arXiv:1708.07120, as in torch's OneCycleLR).

    >>> [learning_rate("linear", step, 4, 0.1) for step in range(4)]
    [0.1, 0.07500000000000001, 0.05, 0.025]
    """
    if schedule == "constant":
        return highest
    if schedule == "linear":
        return highest * (1 - step / steps)
    if schedule == "cosine":
        return _between(highest, 0.0, step / steps)
    return _one_cycle(step, steps, highest)


def _between(start: float, end: float, t: float) -> float:
    """Return half a cosine from start (t = 0) to end (t = 1)."""
    return end + (start - end) * (1 + math.cos(math.pi * t)) / 2


def _one_cycle(step: int, steps: int, highest: float) -> float:
    peak, last = WARM * steps - 1, steps - 1
    if step <= peak:
        return _between(highest / START, highest, step / peak if peak > 0 else 1.0)
    return _between(highest, highest / START / END, (step - peak) / (last - peak) if last > peak else 0.0)
