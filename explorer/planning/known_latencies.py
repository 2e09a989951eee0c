"""Measured times of models of other widths on this machine, as a share of the dense model's time, kept on
disk.

Which channels are kept makes no difference to the clock, so a time depends only on the widths.
"""

import contextlib
import hashlib
import json
import threading
from collections.abc import Mapping
from pathlib import Path

from ..errors import ExplorerError
from ..machine import paths
from ..machine.bounded_file import append_text, read_bounded
from ..machine.environment import environment
from ..machine.version import __version__
from ..pruning.widths import units_left
from ..values.plain import canonical_json
from ..values.profile import ModelProfile
from ..values.recipe import Recipe
from ..values.subject import Subject

LONGEST = 64_000_000  # bytes of one model's times
BLOCK = "block: "  # before the name of a block that is removed
Widths = tuple[tuple[str, int], ...]  # (group, units left) of those that lose some, in the order of the graph

_opened: dict[Path, "TimedWidths"] = {}
_opening = threading.Lock()


class UnmeasuredError(ExplorerError):
    """A time is needed for widths that are not measured; `widths` says which."""

    def __init__(self, widths: Widths):
        self.widths = widths
        super().__init__(
            "How fast other widths are on this machine isn't measured yet; have the latency measured first."
        )


class TimedWidths:
    """Widths -> share of the dense model's time, one JSON line each.

    Args:
        path: of the file; it is read once.
    """

    def __init__(self, path: Path):
        self._path, self._known = path, dict(_read(path))

    def __len__(self) -> int:
        return len(self._known)

    def share(self, widths: Widths) -> float:
        """Return the share of the dense model's time.

        Raises:
            UnmeasuredError: not measured yet.
        """
        if not widths:
            return 1.0
        if widths not in self._known:
            raise UnmeasuredError(widths)
        return self._known[widths]

    def add(self, widths: Widths, share: float) -> None:
        """Save a measurement; if the disk cannot be written, remember it for this process alone."""
        self._known[widths] = share
        with contextlib.suppress(OSError):
            append_text(self._path, json.dumps([widths, share]) + "\n")


def _read(path: Path) -> Mapping[Widths, float]:
    """Return the complete lines."""
    known: dict[Widths, float] = {}
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for line in read_bounded(path, LONGEST).decode("utf-8").splitlines():
            with contextlib.suppress(ValueError, TypeError):
                widths, share = json.loads(line)
                known[tuple((str(group), int(units)) for group, units in widths)] = float(share)
    return known


def timed_widths(subject: Subject, device: str = "cpu") -> TimedWidths:
    """Return what is known about a model on a device of this machine, with the current number of threads."""
    where = environment(device)
    key = [__version__, subject.id, *(where[name] for name in ("device", "device_name", "threads", "torch"))]
    path = (
        paths.cache() / "latencies" / f"{hashlib.sha256(canonical_json(key).encode()).hexdigest()[:24]}.jsonl"
    )
    with _opening:
        if path not in _opened:
            _opened[path] = TimedWidths(path)
        return _opened[path]


def widths_of(profile: ModelProfile, recipe: Recipe) -> Widths:
    """Return the widths that a recipe leaves; each block that it removes counts as one of width 0."""
    blocks = ((f"{BLOCK}{name}", 0) for name in recipe.blocks)
    return (*units_left(profile, recipe).items(), *blocks)
