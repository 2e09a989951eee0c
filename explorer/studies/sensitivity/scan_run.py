"""A running sensitivity scan: which points need which samples next, and when a point is known well enough."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Never

import torch

from ...engine.conditions import Conditions
from ...engine.dense_model import baseline, judged_split
from ...errors import ExplorerError
from ...graph.analysed import Analysed
from ...machine import paths
from ...machine.version import __version__
from ...measuring.judging import judge_for, names_of
from ...measuring.statistics import look_schedule, wilson
from ...measuring.tally import EMPTY, Tally
from ...pruning.checks import check_recipe
from ...pruning.cutting import cut
from ...values.granularity import CHANNEL, PLURALS, WEIGHT
from ...values.profile import Saliencies
from ...values.progress import Progress, Step, Work
from ...values.recipe import Recipe
from ...values.report import Measurement
from ...values.subject import Subject
from .batch_counter import BatchCounter
from .branching import touched_tensors
from .scan_log import Count, Gain, GrowingPoint, ScanLog
from .stopping import LEVEL, looks
from .values import Scan, ScanPlan, SensitivityPoint

DENSE = ""  # the log's name of the dense model's own count
NO_DATA = (
    "A scan measures how good a model is, and there is no data; start with --data to add some, or with "
    "--metric same_answer or cosine_similarity to measure agreement with the dense model on random inputs."
)
NO_REPAIR = (
    "Each point of this scan would be repaired by least squares, which needs training data and the model's "
    "graph; scan it without --after."
)


def key_of(subject: Subject, plan: ScanPlan) -> dict[str, Any]:
    """Return what the counts of a scan depend on, whichever machine counts.

    Raises:
        ExplorerError: there is no data.
    """
    if subject.task is None:
        raise ExplorerError(NO_DATA)
    return {
        "subject": subject.id,
        "task": [subject.task.name, subject.task.fingerprint],
        "granularity": plan.granularity,
        "recipe": plan.recipe.to_json(),
        **({} if judge_for(subject.task) is None else {"metrics": names_of(subject.task)}),
    }


def dense_count(base: Tally, by_rows: bool) -> Count:
    """Return the dense model's results as the log keeps them.

    Args:
        by_rows: right and wrong do not determine the metric, so its measurement is kept, too.
    """
    measured, loss = base.measurement(), float(base.losses.double().sum())
    result = measured.to_json() if by_rows else None
    return Count(DENSE, 0.0, 0.0, len(base), measured.correct or 0, 0, 0, loss, loss, result)


def log_of(subject: Subject, plan: ScanPlan, device: str, folder: Path | None) -> ScanLog:
    """Return where the counts of such a scan are saved: in the folder (default: in the user's cache).

    Raises:
        ExplorerError: there is no data.
    """
    return ScanLog(
        folder or paths.cache() / "scans", {"version": __version__, "device": device, **key_of(subject, plan)}
    )


class ScanRun:
    """One scan of one subject.

    Args:
        log: has the earlier counts, and takes the new ones.
    Raises:
        ExplorerError: there is no data, nothing of this kind to prune, or the criterion does not rate it.
    """

    def __init__(self, model: Analysed, plan: ScanPlan, conditions: Conditions, log: ScanLog):
        if model.subject.task is None:
            raise ExplorerError(NO_DATA)
        self._model, self._plan, self._task = model, plan, model.subject.task
        self._conditions = replace(conditions, split="tuning")
        self._judge_by = judge = judge_for(self._task)
        if judge is not None and (judge.metrics[0].of_rows or judge.scores is not None):
            raise ExplorerError(
                f"A scan cannot measure {names_of(self._task)[0]}, which needs all samples at once or the "
                "whole model; choose another metric first, with --metric."
            )
        if plan.is_repaired and not (model.graph.program and self._task.has("training")):
            raise ExplorerError(NO_REPAIR)
        self._split = judged_split(model, self._conditions)
        self._looks = (look_schedule if plan.tolerance is None else looks)(len(self._split))
        self._notes: list[str] = []
        self._touched = touched_tensors(model.graph, plan.granularity)
        if not self._touched:
            why = f": {model.profile.error}" if model.profile.error else "; each group is frozen."
            raise ExplorerError(f"No {PLURALS[plan.granularity]} of this model can be pruned{why}")
        check_recipe(model.profile, self._recipe(next(iter(self._touched)), plan.ratios[0]))
        self._points = {part: self._points_of(part) for part in self._touched}
        self._log = log
        self._base: Tally = EMPTY
        self._dense: Count | None = None
        self._read()

    # ------------------------------------------------------------------ points

    def _recipe(self, part: str, ratio: float) -> Recipe:
        return self._plan.recipe.with_ratios(self._plan.granularity, {part: ratio})

    def _points_of(self, part: str) -> list[GrowingPoint]:
        """Return one point for each different cut of a part."""
        same: dict[Any, list[float]] = {}
        for ratio in self._plan.ratios:
            same.setdefault(self._kind_of_cut(part, ratio), []).append(ratio)
        is_channel = self._plan.granularity == CHANNEL
        return [GrowingPoint(part, ratios, kind if is_channel else None) for kind, ratios in same.items()]

    def _kind_of_cut(self, part: str, ratio: float) -> float | str:
        """Return a value that is equal for two ratios that lead to the same cut: the share of units, which no
        score changes, or the n:m pattern.
        """
        if self._plan.granularity == WEIGHT:
            return ratio if self._plan.recipe.pattern == "free" else self._plan.recipe.pattern
        units = self._model.graph.profile.free_groups[part].units
        unscored = Saliencies({part: torch.zeros(units)}, {})
        return cut(unscored, self._model.graph.profile, self._recipe(part, ratio)).outcomes[0].achieved

    def _at(self, part: str, ratio: float) -> GrowingPoint:
        return next(point for point in self._points[part] if point.ratio == ratio)

    @property
    def _all(self) -> list[GrowingPoint]:
        return [point for points in self._points.values() for point in points]

    @property
    def open_points(self) -> list[GrowingPoint]:
        return [point for point in self._all if not point.finished]

    # ------------------------------------------------------------------ disk

    def _read(self) -> None:
        """Read what is known about the points and the dense model."""
        best: dict[tuple[str, float], Count] = {}
        for count in self._log.read():
            key = (count.part, count.ratio)
            if count.samples <= len(self._split) and (key not in best or best[key].samples < count.samples):
                best[key] = count
        self._dense = best.get((DENSE, 0.0))
        for point in self._all:
            known = [best[point.part, ratio] for ratio in point.twins if (point.part, ratio) in best]
            if known:
                point.take(known[0])
                self._judge(point)
                if point.by_rows and not point.finished:
                    point.forget()

    def _judge(self, point: GrowingPoint) -> None:
        """Whether the point is finished at a look. A point that an exact scan left between two looks is
        judged at the next one.
        """
        total, is_look = len(self._split), point.samples in self._looks
        enough = is_look and self._plan.is_enough(point.reach(total), point.estimate, self._scale())
        point.finished = point.samples == total or enough

    def _scale(self) -> float:
        """Return the scale of the tolerance: 1 for fractions such as accuracy, otherwise by what the metric
        calls equivalent.
        """
        metric = self._judge_by.metrics[0] if self._judge_by else None
        if metric is None or metric.is_bounded:
            return 1.0
        whole = abs(self._measured().value or 0.0) if metric.is_relative and self._dense else 1.0
        return metric.margin / 0.01 * whole

    def _level(self, point: GrowingPoint) -> float:
        """Return the level of a drop's interval: stricter if points may stop early, which an exact scan never
        does.
        """
        alone = self._plan.tolerance is None and point.samples == len(self._split)
        return 0.95 if alone else LEVEL

    # ------------------------------------------------------------------ running

    def steps(self) -> Work[Scan]:
        """Yield Progress after each portion of a batch, and a Scan whenever points have reached a look."""
        counter = BatchCounter(self._model, self._plan, self._conditions, self._split)
        for goal, points in self._rounds():
            if any(not p.finished and p.samples < goal for p in points):
                yield from self._advance(counter, goal, points)

    def _rounds(self) -> Iterator[tuple[int, list[GrowingPoint]]]:
        """Yield the rounds: first every part at its middle ratio, then all ratios, on the first look's
        samples; then the later looks.
        """
        first, *later = self._looks
        yield first, [min(points, key=lambda p: abs(p.ratio - 0.5)) for points in self._points.values()]
        for look in (first, *later):
            yield look, self._all

    def _advance(self, counter: BatchCounter, goal: int, points: Sequence[GrowingPoint]) -> Work[Scan]:
        """Bring points to a look."""
        yield from self._grow_baseline(goal)
        batch = counter.batch
        while behind := [point for point in points if not point.finished and point.samples < goal]:
            start = min(point.samples for point in behind)
            now = [point for point in behind if point.samples == start]
            try:
                yield from self._run_batch(counter, now, min(start + batch, goal), goal)
            except torch.OutOfMemoryError:
                if batch == 1:
                    raise
                batch //= 2
                self._notes.append(f"Device memory ran out: scanned in batches of {batch}.")
                torch.cuda.empty_cache()
        yield Step(self.snapshot())

    def _grow_baseline(self, goal: int) -> Work[Never]:
        for base in baseline(self._model, self._conditions, goal):
            self._base = base
            yield Step(progress=self._progress())
        self.take_dense(dense_count(self._base, self.by_rows))

    def _run_batch(
        self, counter: BatchCounter, points: Sequence[GrowingPoint], stop: int, goal: int
    ) -> Work[Scan]:
        """Measure samples up to `stop` for points that have all reached the same sample."""
        start = points[0].samples
        base = self._base.part(start, stop)
        todo: dict[str, list[float]] = {}
        for point in points:
            if point.achieved == 0:  # nothing is removed, so it is the dense model
                point.add(Gain.of((point.part, point.ratio, 0.0), base, base))
                self._settle([point], goal)
            else:
                todo.setdefault(point.part, []).append(point.ratio)
        for gains in counter.gains(start, stop, todo, base):
            self._take(gains, goal)
            yield Step(progress=self._progress())
            if stop == goal == self._looks[0]:  # the first look is shown part by part, later ones at once
                yield Step(self.snapshot())

    @property
    def by_rows(self) -> bool:
        """Whether right and wrong do not determine the metric."""
        return self._judge_by is not None

    def take_dense(self, count: Count) -> None:
        """Take the dense model's results on the first samples, and save them."""
        if self._dense is None or self._dense.samples < count.samples:
            self._dense = count
            self._log.append([count])

    def _take(self, gains: Sequence[Gain], goal: int) -> None:
        points = [self._at(gain.count.part, gain.count.ratio) for gain in gains]
        for point, gain in zip(points, gains, strict=True):
            point.add(gain)
        self._settle(list(dict.fromkeys(points)), goal)

    def _settle(self, points: Sequence[GrowingPoint], goal: int) -> None:
        """Judge and save those that have reached a look."""
        there = [point for point in points if point.samples == goal]
        for point in there:
            self._judge(point)
        kept = [point for point in there if point.finished or not point.by_rows]
        if kept:
            self._log.append(count for point in kept for count in point.counts())

    # ------------------------------------------------------------------ what is known

    def _progress(self) -> Progress:
        total = len(self._split)
        done = sum(total if point.finished else point.samples for point in self._all)
        return Progress(done, total * len(self._all), f"scanning {PLURALS[self._plan.granularity]}")

    def snapshot(self) -> Scan:
        """Return the points that have been counted, at their last look or between two."""
        shown: list[SensitivityPoint] = []
        for points in self._points.values():
            known = [(ratio, point) for point in points if point.samples for ratio in point.twins]
            shown += [self._shown(point, ratio) for ratio, point in sorted(known, key=lambda item: item[0])]
        about = {"id": self._model.subject.id, "name": self._model.subject.name, "task": self._task.name}
        expected = len(self._touched) * len(self._plan.ratios)
        notes = tuple(dict.fromkeys(self._notes))
        return Scan(about, self._plan, self._measured(), tuple(shown), len(self._split), expected, notes)

    def _shown(self, point: GrowingPoint, ratio: float) -> SensitivityPoint:
        n = point.samples
        return SensitivityPoint(
            point.part,
            self._plan.granularity,
            ratio,
            point.achieved or 0.0,
            point.correct,
            n,
            point.drop(self._level(point)),
            point.reach(len(self._split)),
            point.worse,
            point.better,
            point.loss / n,
            (point.loss - point.dense_loss) / n,
            point.finished,
            point.value,
        )

    def _measured(self) -> Measurement:
        dense = self._dense
        if dense is None:
            return Measurement()
        if dense.result is not None:
            return Measurement.from_json(dense.result)
        low, high = wilson(dense.correct, dense.samples)
        return Measurement(
            dense.correct / dense.samples, low, high, dense.loss / dense.samples, dense.samples, dense.correct
        )
