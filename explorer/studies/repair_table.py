"""What a cut of channels costs right after it, after repairs without training, and after short trainings,
with the seconds that each takes.
"""

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ..engine.conditions import Conditions
from ..engine.measure import stream
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..measuring.judging import names_of
from ..recovery.recover import recover
from ..recovery.training_plan import suggested
from ..values.json_fields import built
from ..values.progress import Progress, Returning, Step, Work
from ..values.recipe import Recipe
from ..values.report import Drop, Measurement
from .kept_rows import KeptRows
from .live_numbers import with_training

T = TypeVar("T")
REPAIRS = {
    "one-shot": "none",
    "norms recalibrated": "bn_recalibration",
    "least squares": "least_squares",
}


@dataclass(frozen=True)
class RepairPlan:
    """What is measured.

    Args:
        ratios: removed of every coupled group.
        epochs: of each training, from the cut on.
        training: only the first so many training samples; None = all.
    Raises:
        ExplorerError: a value is not allowed.
    """

    ratios: tuple[float, ...] = (0.25, 0.5, 0.7)
    epochs: tuple[int, ...] = (1, 5)
    training: int | None = None

    def __post_init__(self) -> None:
        if not self.ratios or not all(0 < ratio < 1 for ratio in self.ratios):
            raise ExplorerError(f"Ratios must be between 0 and 1, got {', '.join(map(str, self.ratios))}.")
        if not all(epochs >= 1 for epochs in self.epochs):
            raise ExplorerError("--epochs must be at least 1.")

    @property
    def arms(self) -> tuple[str, ...]:
        """Return what is measured at each ratio."""
        return (*REPAIRS, *map(epochs_words, self.epochs))


def epochs_words(epochs: int) -> str:
    """
    >>> epochs_words(1), epochs_words(5)
    ('1 epoch', '5 epochs')
    """
    return f"{epochs} epoch" + ("" if epochs == 1 else "s")


@dataclass(frozen=True)
class RepairRow:
    """One way to repair one cut.

    Args:
        drop: from the dense model, on the same samples.
        seconds: of the processor for the cut and its repair or training, and for measuring it.
        notes: what the repair says it did.
    """

    ratio: float
    arm: str
    measured: Measurement
    drop: Drop
    seconds: float
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        plain = {"ratio": self.ratio, "arm": self.arm, "seconds": self.seconds, "notes": list(self.notes)}
        return plain | {"measured": self.measured.to_json(), "drop": self.drop.to_json()}

    @classmethod
    def from_json(cls, data: object) -> "RepairRow":
        return built(cls, data)


def repair_table(
    model: Analysed, plan: RepairPlan, conditions: Conditions, *, folder: Path | None = None
) -> Work[tuple[RepairRow, ...]]:
    """Yield Progress between batches, and all rows so far after each; rows that were measured before are read
    from disk.

    Args:
        folder: of all studies (default: in the user's cache).
    Raises:
        ExplorerError: there is no training data, or no channels can be removed.
    """
    task = model.subject.task
    if task is None or not task.has("training") or not model.profile.free_groups:
        raise ExplorerError(f"{model.subject.name!r} has no training data, or no channels to remove.")
    conditions = replace(conditions, latency=False, split="tuning")
    small = Analysed(with_training(model.subject, plan.training), model.graph)
    key = {
        "subject": model.subject.id,
        "task": [task.name, task.fingerprint, list(names_of(task))],
        "training": plan.training,
        "samples": conditions.samples,
        "device": conditions.device,
    }
    kept = KeptRows("repairs", key, folder)
    rows: list[RepairRow] = []
    for ratio in plan.ratios:
        for arm in plan.arms:
            now = Progress(len(rows), len(plan.ratios) * len(plan.arms), f"{arm} at {ratio:g}")
            name = f"{arm} at {ratio:g}"
            row = kept.get(name, RepairRow.from_json)
            if row is None:
                row = yield from _row(small, ratio, arm, conditions, now)
                kept.add(name, row.to_json())
            rows.append(row)
            yield Step(tuple(rows), now)


def _row(
    model: Analysed, ratio: float, arm: str, conditions: Conditions, now: Progress
) -> Returning[RepairRow]:
    recipe = Recipe(channels=dict.fromkeys(model.profile.free_groups, ratio))
    if arm in REPAIRS:
        repaired = replace(recipe, after=REPAIRS[arm])
        report, seconds = yield from _clocked(stream(model, repaired, conditions), now)
        assert report.drop is not None
        return RepairRow(ratio, arm, report.pruned, report.drop, seconds, report.notes)
    plan = suggested(model.subject, epochs=int(arm.split(" ")[0]))
    with tempfile.TemporaryDirectory() as place:
        trained, seconds = yield from _clocked(
            recover(model, recipe, plan, conditions, root=Path(place)), now
        )
    end = trained.recovered[0]
    return RepairRow(ratio, arm, end.measurement, end.drop, seconds)


def _clocked(work: Work[T], now: Progress) -> Returning[tuple[T, float]]:
    """Return the last result, and the seconds of this thread's processor."""
    value: T | None = None
    seconds, started = 0.0, time.thread_time()
    for step in work:
        value = step.value if step.value is not None else value
        seconds += time.thread_time() - started
        yield Step(progress=now)
        started = time.thread_time()
    assert value is not None
    return value, seconds + time.thread_time() - started
