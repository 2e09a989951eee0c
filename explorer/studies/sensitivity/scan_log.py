"""What a sensitivity scan has counted, in memory and on disk: one JSON line per point and look, so that it
can continue.
"""

import contextlib
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ...errors import ExplorerError
from ...machine.bounded_file import append_text, read_bounded
from ...measuring.statistics import paired_drop
from ...measuring.tally import Tally, drop_between, joined
from ...values.json_fields import built, wrong
from ...values.plain import canonical_json
from ...values.report import Drop, Measurement
from .stopping import LEVEL, Reach, reach, reach_of

LONGEST = 256_000_000  # bytes of one scan's counts


@dataclass(frozen=True)
class Count:
    """What was counted for one point on the first `samples` samples; the dense model is the point of the part
    "".

    Args:
        achieved: fraction of the part's units that was really removed.
        correct: right with the part pruned.
        worse, better: right before and wrong after, and the reverse.
        loss, dense_loss: sums over the samples, with the part pruned and of the dense model.
        result: of a metric that right and wrong do not determine: see `PointResult`, or the measurement of
            the dense model. Only finished points have one, since the rows of samples are not kept.
    """

    part: str
    ratio: float
    achieved: float
    samples: int
    correct: int
    worse: int
    better: int
    loss: float
    dense_loss: float
    result: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "result" or value is not None}


KNOWN = tuple(field.name for field in fields(Count))


@dataclass(frozen=True)
class PointResult:
    """What a finished point knows of a metric that right and wrong do not determine.

    Args:
        value: of the metric, with the part pruned.
        drops: against the dense model, at 95 % and at the level of an adaptive scan.
    """

    value: float
    drops: tuple[Drop, ...]

    def drop(self, level: float) -> Drop:
        return min(self.drops, key=lambda drop: abs(drop.level - level))

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, "drops": [drop.to_json() for drop in self.drops]}

    @classmethod
    def from_json(cls, data: object) -> "PointResult":
        result = built(cls, data)
        if not result.drops:
            raise wrong("a list with a drop", []).inside("drops")
        return result


@dataclass(frozen=True, eq=False)
class Gain:
    """What a batch of samples adds to one point.

    Args:
        count: of the batch alone.
        rows: the dense model and the point on the batch; None if right and wrong determine the metric.
    """

    count: Count
    rows: tuple[Tally, Tally] | None = None

    @classmethod
    def of(cls, point: tuple[str, float, float], tally: Tally, base: Tally) -> "Gain":
        """Count what a batch adds.

        Args:
            point: part, ratio, and the fraction that is really removed.
            tally, base: of the same samples, with the part pruned and of the dense model.
        """
        losses = _sums(tally.losses.double(), base.losses.double())
        if not tally.is_accuracy:
            rows = base, replace(tally, units=base.units)
            return cls(Count(*point, len(tally), 0, 0, 0, *losses), rows)
        right = int(tally.correct.sum())
        worse = int((base.correct & ~tally.correct).sum())
        better = int((~base.correct & tally.correct).sum())
        return cls(Count(*point, len(tally), right, worse, better, *losses))


def _sums(losses: Tensor, dense: Tensor) -> tuple[float, float]:
    """Return sums over the samples for which the dense model has a loss; one that only the cut lost is
    infinite.
    """
    known = dense.isfinite()
    return float(losses[known].nan_to_num(nan=math.inf).sum()), float(dense[known].sum())


class GrowingPoint:
    """The counts of one part at one ratio, while they grow.

    Args:
        twins: ratios, including this one, that lead to the same cut.
        achieved: fraction of the units that is really removed; None = not known before the cut.
    """

    def __init__(self, part: str, twins: Sequence[float], achieved: float | None):
        self.part, self.ratio, self.twins, self.achieved = part, twins[0], tuple(twins), achieved
        self.samples = self.correct = self.worse = self.better = 0
        self.loss = self.dense_loss = 0.0
        self.finished = False
        self._rows: list[tuple[Tally, Tally]] = []  # of a metric that right and wrong do not determine
        self._result: PointResult | None = None  # of such a metric, from the disk

    def add(self, gain: Gain) -> None:
        """Add the next samples."""
        count = gain.count
        self.achieved = count.achieved
        self.samples += count.samples
        self.correct += count.correct
        self.worse += count.worse
        self.better += count.better
        self.loss += count.loss
        self.dense_loss += count.dense_loss
        if gain.rows is not None:
            self._rows.append(gain.rows)

    def take(self, count: Count) -> None:
        """Continue from a count on disk."""
        self.achieved, self.samples, self.correct = count.achieved, count.samples, count.correct
        self.worse, self.better = count.worse, count.better
        self.loss, self.dense_loss = count.loss, count.dense_loss
        self._result = PointResult.from_json(count.result) if count.result else None

    def forget(self) -> None:
        """Start again, for an interval that is not known well enough for another scan."""
        self.samples, self.loss, self.dense_loss, self._result = 0, 0.0, 0.0, None

    def counts(self) -> list[Count]:
        known = (
            self.achieved or 0.0,
            self.samples,
            self.correct,
            self.worse,
            self.better,
            self.loss,
            self.dense_loss,
            self._kept().to_json() if self.by_rows else None,
        )
        return [Count(self.part, ratio, *known) for ratio in self.twins]

    def _known(self) -> tuple[Tally, Tally]:
        """Return the dense model and the point on all samples so far, for a metric of rows."""
        self._rows = [(joined([b for b, _ in self._rows]), joined([t for _, t in self._rows]))]
        return self._rows[0]

    @property
    def by_rows(self) -> bool:
        """Whether right and wrong do not determine the metric; only finished points can then be continued."""
        return bool(self._rows) or self._result is not None

    def _kept(self) -> PointResult:
        """Return what is written to the disk."""
        if self._result is not None:
            return self._result
        drops = tuple(drop_between(*self._known(), level) for level in (0.95, LEVEL))
        return PointResult(self._known()[1].measurement().value or 0.0, drops)

    @property
    def value(self) -> float | None:
        """Return the value of the deciding metric; None if that is accuracy."""
        if self._result is not None:
            return self._result.value
        return self._known()[1].measurement().value if self._rows else None

    @property
    def estimate(self) -> float:
        """Return the estimated drop."""
        if self.by_rows:
            return self.drop(LEVEL).estimate
        return (self.worse - self.better) / self.samples

    def drop(self, level: float) -> Drop:
        if self._result is not None:
            return self._result.drop(level)
        if self._rows:
            return drop_between(*self._known(), level)
        return paired_drop(self.worse, self.better, self.samples, level=level)

    def reach(self, total: int) -> Reach:
        """Return what these samples say about all of them."""
        if self.by_rows:
            return reach_of(self.drop(LEVEL), self.samples, total)
        return reach(self.worse, self.better, self.samples, total)


class ScanLog:
    """The counts of one model for one way of ranking, in a file that is only ever appended to.

    Args:
        folder: created when something is first written.
        key: everything that the counts depend on, as JSON data.
        name: beginning of the file's name, for people.
    """

    def __init__(self, folder: Path, key: Mapping[str, Any], name: str = ""):
        self.path = folder / f"{name}{hashlib.sha256(canonical_json(key).encode()).hexdigest()[:24]}.jsonl"

    def read(self) -> list[Count]:
        """Return every count in the order in which they were written; damaged lines are left out."""
        try:
            lines = read_bounded(self.path, LONGEST).decode("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return []
        return [count for count in map(_parsed, lines) if count is not None]

    def append(self, counts: Iterable[Count]) -> None:
        """Add lines; if the folder cannot be written, do nothing, since the scan can be repeated."""
        text = "".join(json.dumps(count.to_json()) + "\n" for count in counts)
        with contextlib.suppress(OSError):
            append_text(self.path, text)


def _parsed(line: str) -> Count | None:
    try:
        data = json.loads(line)
        count = built(Count, {name: data[name] for name in KNOWN if name in data})
        if count.result is not None:
            (PointResult if count.part else Measurement).from_json(count.result)
    except (ExplorerError, ValueError, TypeError, RecursionError):
        return None
    sound = all(n <= count.samples for n in (count.correct, count.worse, count.better)) and count.samples > 0
    shares = 0 <= count.ratio <= 1 and 0 <= count.achieved <= 1
    return count if sound and shares else None
