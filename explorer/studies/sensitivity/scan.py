"""The scan: accuracy as one part's ratio varies, the others unpruned, without training. Each batch walks the
graph once, unless each point is repaired first.

Exact scans have the same counts of right answers as pruning and evaluating each point by itself. Adaptive
ones stop a point as soon as its drop is known well enough; in return the level is higher, at looks that are
fixed in advance.
"""

from pathlib import Path

from ...engine.conditions import Conditions
from ...graph.analysed import Analysed
from ...pruning.decision import calibrate
from ...values.granularity import CHANNEL
from ...values.progress import Step, Work
from .additivity import Additivity, additivity
from .scan_run import ScanRun, log_of
from .values import RATIOS, Scan, ScanPlan, SensitivityPoint

__all__ = ["RATIOS", "Additivity", "Scan", "ScanPlan", "SensitivityPoint", "additivity", "known", "scan"]

CHANNELS = ScanPlan(CHANNEL)
EVERYTHING = Conditions()


def known(
    model: Analysed,
    plan: ScanPlan,
    conditions: Conditions = EVERYTHING,
    *,
    folder: Path | None = None,
) -> Scan | None:
    """Return what a scan has saved on disk, without measuring anything; None if nothing.

    Raises:
        ExplorerError: as `scan`.
    """
    log = log_of(model.subject, plan, conditions.device, folder) if model.subject.task else None
    if log is None or not log.path.exists():
        return None  # at once: the rest takes a quarter of a second on a large model
    found = ScanRun(model, plan, conditions, log).snapshot()
    return found if found.points else None


def scan(
    model: Analysed,
    plan: ScanPlan = CHANNELS,
    conditions: Conditions = EVERYTHING,
    *,
    folder: Path | None = None,
) -> Work[Scan]:
    """Measure every part at every ratio. Yields Progress after each portion of a batch, and a Scan whenever
    points have reached a look.

    All parts are measured at the middle ratio and few samples first, then at the other ratios, then on more
    samples. Earlier counts are read from disk and never repeated; a scan that was stopped continues where it
    was. The last value is the finished Scan.

    Args:
        conditions: samples and device; it is always the tuning split.
        folder: of the logs (default: in the user's cache).
    Raises:
        ExplorerError: there is no data, or nothing of this kind that this criterion can rank.
    """
    run = ScanRun(model, plan, conditions, log_of(model.subject, plan, conditions.device, folder))
    yield Step(run.snapshot())
    if run.open_points:
        yield from calibrate(model, plan.recipe, conditions.device)
        yield from run.steps()
        yield Step(run.snapshot())
