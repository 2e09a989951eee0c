"""A scan whose batches are counted elsewhere: what is to be counted, and what came back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ...values.progress import Step
from .scan_log import Gain
from .scan_run import ScanRun
from .values import Scan


@dataclass(frozen=True)
class ScanBatch:
    """Samples that some points need next; batches of one point are counted in any order, and taken in theirs.

    Args:
        start, stop: the first sample, and one past the last.
        goal: the look that they belong to.
        points: (part, ratio) of each.
    """

    start: int
    stop: int
    goal: int
    points: tuple[tuple[str, float], ...]

    @property
    def ratios(self) -> dict[str, list[float]]:
        """Return part -> ratios."""
        found: dict[str, list[float]] = {}
        for part, ratio in self.points:
            found.setdefault(part, []).append(ratio)
        return found


class DividedScan(ScanRun):
    """The same scan; the caller counts the batches, in any order, and hands in what they add."""

    def stages(self, size: int) -> Iterator[list[ScanBatch]]:
        """Yield what to count next, as batches that do not wait for one another; all of them have to be taken
        before the next stage is asked for. An exact scan has one stage.

        Args:
            size: samples of a batch, as `BatchCounter` says.
        """
        stage: list[ScanBatch] = []
        counted = {point: point.samples for point in self._all}
        for goal, points in self._rounds():
            while behind := [p for p in points if not p.finished and counted[p] < goal]:
                start = min(counted[p] for p in behind)
                now, stop = [p for p in behind if counted[p] == start], min(start + size, goal)
                stage.append(ScanBatch(start, stop, goal, tuple((p.part, p.ratio) for p in now)))
                counted |= dict.fromkeys(now, stop)
            if stage and self._plan.tolerance is not None:
                yield stage
                stage = []
        if stage:
            yield stage

    def take(self, batch: ScanBatch, gains: Sequence[Gain], dense: Gain) -> Step[Scan]:
        """Add what was counted elsewhere; the batches of a point in the order of `stages`.

        Args:
            gains: of the points, several for each if the batch was divided.
            dense: of the dense model on the same samples, for points from which nothing is removed.
        """
        known = {(gain.count.part, gain.count.ratio) for gain in gains}
        same = [
            replace(dense, count=replace(dense.count, part=part, ratio=ratio))
            for part, ratio in batch.points
            if (part, ratio) not in known
        ]
        self._take([*gains, *same], batch.goal)
        return Step(self.snapshot() if batch.stop == batch.goal else None, self._progress())

    def changing(self, batch: ScanBatch) -> dict[str, list[float]]:
        """Return part -> ratios of the points from which something is removed."""
        return {
            part: left
            for part, ratios in batch.ratios.items()
            if (left := [ratio for ratio in ratios if self._at(part, ratio).achieved != 0])
        }

    @property
    def looks(self) -> tuple[int, ...]:
        """Return the sample counts at which points are judged, rising to the whole split."""
        return self._looks

    def noted(self, note: str) -> None:
        """Add a sentence to the results, once."""
        self._notes.append(note)
