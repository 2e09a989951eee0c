"""All rows, one after the other, with where they were measured."""

import importlib.metadata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..errors import UnknownNameError
from ..machine.environment import environment, usable_cores
from ..values.progress import Step, Work, reached
from .cluster import sharing
from .compacting import compaction
from .effort import FULL, Effort
from .live_moves import first_answers, full_evaluation, late_move, mask_overhead
from .other_tasks import SAMPLES, rows_of
from .repairing import repairing, repairing_large
from .scan_accuracy import within
from .scans import adaptive, adaptive_others, exact
from .startup import startup
from .timed_rows import TimedRow

PARTS: dict[str, Callable[[Effort, str], Iterator[TimedRow]]] = {
    "first_answer": first_answers,
    "late_move": late_move,
    "mask_overhead": mask_overhead,
    "compact": compaction,
    "startup": startup,
    "live_full": full_evaluation,
    **{f"task_{name}": rows_of(name) for name in SAMPLES},
    "repair": repairing,
    "repair_large": repairing_large,
    "scan_exact": exact,
    "scan_adaptive": adaptive,
    "scan_adaptive_others": adaptive_others,
    "scan_within": within,
    "cluster": sharing,
}
ON_REQUEST = ("repair_large", "scan_adaptive_others", "scan_within", "cluster")  # take minutes
DEFAULT = tuple(name for name in PARTS if name not in ON_REQUEST)
PACKAGES = ("torch-pruning", "torchvision", "streamlit")


def bench(size: Effort = FULL, device: str = "cpu", parts: Sequence[str] = DEFAULT) -> Work[TimedRow]:
    """Measure the rows. Yields Progress before each part, and a TimedRow whenever one is known.

    The goals are those of the full size; a smaller table has none.

    Raises:
        UnknownNameError: there is no such part.
    """
    for name in parts:
        if name not in PARTS:
            raise UnknownNameError("part of the table", name, PARTS)
    for done, name in enumerate(parts):
        yield reached(done, len(parts), name)
        for found in PARTS[name](size, device):
            yield Step(found if size == FULL else replace(found, goal=None))


def surroundings(device: str) -> dict[str, Any]:
    """Return where it was measured, with the versions of what it was compared with; None = not installed."""
    versions = {name: _version(name) for name in PACKAGES}
    return {**environment(device), "usable_cores": usable_cores(), "dtype": "float32", **versions}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
