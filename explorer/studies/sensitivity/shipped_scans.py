"""Scans that come with the sample models, so that their faders show at once how far each can be moved.

They are logs like those in the user's cache, counted on the machine that trained the samples. Another model,
other weights, other data or another way of ranking has another key, so these scans are never used for them.
"""

from pathlib import Path

from ...engine.conditions import Conditions
from ...graph.analysed import Analysed
from ...machine import paths
from ...values.subject import Subject
from .scan_log import Count, ScanLog
from .scan_run import ScanRun, key_of
from .values import Scan, ScanPlan

FOLDER = "scans"


def delivered_log(subject: Subject, plan: ScanPlan, folder: Path | None = None) -> ScanLog:
    """Return where such a scan is in a folder of sample models (default: those that came with the program).

    Raises:
        ExplorerError: there is no data.
    """
    name = "".join(letter if letter.isalnum() else "-" for letter in subject.name)
    return ScanLog(
        (folder or paths.sample_models()) / FOLDER, key_of(subject, plan), f"{name}-{plan.granularity}-"
    )


def delivered(
    model: Analysed, plan: ScanPlan, conditions: Conditions, *, folder: Path | None = None
) -> Scan | None:
    """Return the scan that came with this model, or None.

    Raises:
        ExplorerError: as `scan`.
    """
    log = delivered_log(model.subject, plan, folder) if model.subject.task else None
    if log is None or not log.path.is_file():
        return None
    return ScanRun(model, plan, conditions, log).snapshot()


def deliver(subject: Subject, plan: ScanPlan, counted: ScanLog, folder: Path | None = None) -> Path:
    """Write the last count of each point of a finished scan, to be shipped; return the file.

    Args:
        counted: the log of that scan.
    """
    last: dict[tuple[str, float], Count] = {(count.part, count.ratio): count for count in counted.read()}
    log = delivered_log(subject, plan, folder)
    log.path.unlink(missing_ok=True)
    log.append(last.values())
    return log.path
