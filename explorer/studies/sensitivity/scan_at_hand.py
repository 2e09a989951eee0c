"""What is known of a scan before anything is measured."""

from pathlib import Path

from ...engine.conditions import Conditions
from ...graph.analysed import Analysed
from .scan import known
from .shipped_scans import delivered
from .values import Scan, ScanPlan


def at_hand(
    model: Analysed, plan: ScanPlan, conditions: Conditions, *, folder: Path | None = None
) -> Scan | None:
    """Return the finished scan that is on disk or came with the model; otherwise what is on disk of one that
    was broken off, or None.

    Args:
        folder: where scans are kept, if not in the user's cache.
    Raises:
        ExplorerError: as `scan`.
    """
    left = known(model, plan, conditions, folder=folder)
    return left if left is not None and left.finished else delivered(model, plan, conditions) or left


def finished_at_hand(
    model: Analysed, plan: ScanPlan, conditions: Conditions, *, folder: Path | None = None
) -> Scan | None:
    """Return the finished scan that is on disk or came with the model, or None.

    Raises:
        ExplorerError: as `scan`.
    """
    scan = at_hand(model, plan, conditions, folder=folder)
    return scan if scan is not None and scan.finished else None
