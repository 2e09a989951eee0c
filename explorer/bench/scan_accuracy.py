"""Checks adaptive scans: every point of several models, against what an exact scan counts on all samples."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..engine.conditions import Conditions
from ..measuring.statistics import wilson
from ..studies.sensitivity.scan import scan
from ..studies.sensitivity.values import Scan, ScanPlan
from ..values.progress import outcome
from .effort import Effort, opened
from .timed_rows import TimedRow

GOAL = 0.95


def within(size: Effort, device: str) -> Iterator[TimedRow]:
    """Return the share of points whose stated interval contains the exact drop; takes minutes."""
    held = {name: _held(name, device) for name in size.judged}
    inside, points = (sum(counts) for counts in zip(*held.values(), strict=True))
    low, high = wilson(inside, points)
    details = {name: f"{some} of {all_of_it}" for name, (some, all_of_it) in held.items()}
    yield TimedRow(
        "scan_adaptive_within_interval",
        inside / points,
        low,
        high,
        "exact scans of the same points on all samples",
        GOAL,
        True,
        points,
        bound_by="intervals of level 0.99, looked at several times",
        details=details,
    )


def _held(name: str, device: str) -> tuple[int, int]:
    """Return how many intervals contain the exact drop, and the number of points."""
    adaptive, exact = _scanned(name, ScanPlan(), device), _scanned(name, ScanPlan(tolerance=None), device)
    truth = {(p.part, p.ratio): p.drop.estimate for p in exact.points}
    inside = [p.reach.low - 1e-12 <= truth[p.part, p.ratio] <= p.reach.high + 1e-12 for p in adaptive.points]
    return sum(inside), len(inside)


def _scanned(name: str, plan: ScanPlan, device: str) -> Scan:
    """Return a finished scan that neither reads nor leaves anything in the user's cache."""
    with tempfile.TemporaryDirectory() as folder:
        found = outcome(scan(opened(name), plan, Conditions(device=device), folder=Path(folder)))
    assert isinstance(found, Scan)
    return found
