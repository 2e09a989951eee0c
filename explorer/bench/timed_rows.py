"""Times two pieces of work in turns -> a ratio with its interval -> a row that says whether its goal is
met.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import torch

from ..measuring.latency import FEWEST_ROUNDS, median_ratio

LONG_S = 1.0  # work that takes longer is timed less often
Timeable = Callable[[], object]
Verdict = Literal["met", "missed", "not resolved"]


@dataclass(frozen=True)
class Pairs:
    """Seconds of two pieces of work; equal positions ran next to each other."""

    ours: tuple[float, ...]
    baseline: tuple[float, ...]

    def plus(self, ours: float, baseline: float, times: float) -> "Pairs":
        """Return what a longer run would take: each pair this many times, and the seconds of setting up
        once.
        """
        return Pairs(
            tuple(ours + times * s for s in self.ours), tuple(baseline + times * s for s in self.baseline)
        )

    @property
    def medians(self) -> tuple[float, float]:
        """Return seconds: ours, baseline."""
        return statistics.median(self.ours), statistics.median(self.baseline)

    @property
    def details(self) -> dict[str, float]:
        """Return the medians by name."""
        return dict(zip(("seconds", "baseline_seconds"), self.medians, strict=True))


@dataclass(frozen=True)
class TimedRow:
    """One line of the table.

    Args:
        value, low, high: the median and its 95 % interval; a ratio, or what `unit` says.
        baseline: what it is compared with, in the same run.
        goal: None = there is none.
        at_least: the goal is a lower bound; otherwise an upper one.
        pairs: how many were measured.
        bound_by: what takes the time, measured in the same run.
        details: further numbers.
    """

    name: str
    value: float
    low: float
    high: float
    baseline: str
    goal: float | None = None
    at_least: bool = False
    pairs: int = 0
    unit: str = "ratio"
    bound_by: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict | None:
        """Return whether the goal is met or missed, which only the whole interval decides; fewer than six
        pairs decide nothing.
        """
        if self.goal is None:
            return None
        good, bad = (
            (self.low >= self.goal, self.high < self.goal)
            if self.at_least
            else (self.high <= self.goal, self.low > self.goal)
        )
        if self.pairs < FEWEST_ROUNDS or not (good or bad):
            return "not resolved"
        return "met" if good else "missed"

    @property
    def met(self) -> bool | None:
        """Return True, False, or None if it is undecided or there is no goal."""
        return {"met": True, "missed": False}.get(self.verdict or "")

    def to_json(self) -> dict[str, Any]:
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return {**plain, "details": dict(self.details), "met": self.met, "verdict": self.verdict}


def seconds(work: Timeable, device: str = "cpu") -> float:
    """Return how long it takes, until the device has really finished."""
    _finish(device)
    started = time.perf_counter()
    work()
    _finish(device)
    return time.perf_counter() - started


def _finish(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def interleaved(
    make: Callable[[int], tuple[Timeable, Timeable]],
    count: int,
    device: str = "cpu",
    *,
    long_count: int | None = None,
) -> Pairs:
    """Time two pieces of work in turns, every other pair in reverse, after a pair or two that aren't counted.

    Args:
        make: number of the pair, from 0 -> (ours, baseline), prepared outside the timing.
        count: of pairs.
        long_count: of pairs if one of the two takes a second or more; None = as many.
    """
    first_pair, warm_pair = count, count + 1  # numbers that no later pair has
    uncounted = [seconds(work, device) for work in make(first_pair)]
    if (
        long_count is not None and max(uncounted) >= LONG_S
    ):  # it may only have been long because it was the first
        uncounted = [seconds(work, device) for work in make(warm_pair)]
    if long_count is not None and max(uncounted) >= LONG_S:
        count = long_count
    ours, baseline = [], []
    for index in range(count):
        first, second = make(index)
        if index % 2:
            baseline.append(seconds(second, device))
            ours.append(seconds(first, device))
        else:
            ours.append(seconds(first, device))
            baseline.append(seconds(second, device))
    return Pairs(tuple(ours), tuple(baseline))


def row(name: str, pairs: Pairs, baseline: str, *, inverse: bool = False, **about: Any) -> TimedRow:
    """Return the row of a ratio: ours / baseline; or baseline / ours, a speed-up, whose goal is a lower
    bound.
    """
    above, below = (pairs.baseline, pairs.ours) if inverse else (pairs.ours, pairs.baseline)
    value, low, high = median_ratio(above, below)
    return TimedRow(name, value, low, high, baseline, at_least=inverse, pairs=len(pairs.ours), **about)


def milliseconds_row(name: str, pairs: Pairs, baseline: str, **about: Any) -> TimedRow:
    """Return the row of an absolute time of ours; its ratio to the baseline is in the details."""
    ratio, low, high = median_ratio(pairs.ours, pairs.baseline)
    value, least, most = (1000 * s for s in median_ratio(pairs.ours, [1.0] * len(pairs.ours)))
    details = {"ratio": ratio, "ratio_low": low, "ratio_high": high, **about.pop("details", {})}
    return TimedRow(
        name, value, least, most, baseline, pairs=len(pairs.ours), unit="ms", details=details, **about
    )


def stages(named: Mapping[str, float]) -> str:
    """Return the stages with their times as text.

    >>> stages({"cut and build": 0.0312, "forward": 1.5})
    'cut and build 31 ms, forward 1,500 ms'
    """
    return ", ".join(f"{name} {1000 * took:,.0f} ms" for name, took in named.items())
