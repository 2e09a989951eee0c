"""The sensitivity scan on a cluster: batches of samples, divided by parts, counted anywhere."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..engine.conditions import Conditions
from ..graph.analysed import Analysed
from ..machine.environment import environment
from ..measuring.judging import judge_for
from ..studies.sensitivity.divided_scan import DividedScan, ScanBatch
from ..studies.sensitivity.scan_log import Count
from ..studies.sensitivity.scan_run import log_of
from ..studies.sensitivity.values import Scan, ScanPlan
from ..values.progress import Step, Work, reached
from .connection import Cluster, WorkAnswer, differing
from .kinds import OF_SCANS, asked_json, plan_json
from .packing import gain_of
from .subject_source import SubjectSource
from .work_item import Kind, WorkItem

PIECES_A_WORKER = 4  # at least, so that the last ones to end keep few waiting
AHEAD = 4  # pieces that are asked for, for each worker, before their turn comes
OTHERS = "Some workers differ from this process ({kinds}): counts are equal, losses agree within rounding."


def scan(
    cluster: Cluster,
    source: SubjectSource,
    model: Analysed,
    plan: ScanPlan,
    conditions: Conditions,
    folder: Path | None = None,
) -> Work[Scan]:
    """Yield the same as the scan of one machine, with the same numbers.

    Args:
        folder: of the logs (default: in the user's cache), which a scan of one machine reads, too.
    Raises:
        ExplorerError: as of `scan`, or the cluster fails.
    """
    run = DividedScan(model, plan, conditions, log_of(model.subject, plan, conditions.device, folder))
    yield Step(run.snapshot())
    if run.open_points:
        yield from _ClusterScan(cluster, source, model, plan, conditions, run).steps()
        yield Step(run.snapshot())


class _ClusterScan:
    """One scan that runs."""

    def __init__(
        self,
        cluster: Cluster,
        source: SubjectSource,
        model: Analysed,
        plan: ScanPlan,
        conditions: Conditions,
        run: DividedScan,
    ):
        self._cluster, self._source, self._run, self._conditions = cluster, source, run, conditions
        self._asked = {
            "plan": plan_json(plan),
            "conditions": asked_json(replace(conditions, split="tuning"), OF_SCANS),
        }
        assert model.subject.task is not None
        judge = judge_for(model.subject.task)
        self._metrics = judge.metrics if judge else ()
        self._answers: list[WorkAnswer] = []
        self._machines: list[dict[str, Any]] = []

    def steps(self) -> Work[Scan]:
        run, cluster = self._run, self._cluster
        try:
            yield reached(0, 1, "Loading the model on the workers")
            shape = self._asking("scan shape", {})
            size = (yield from cluster.result(shape))["batch"]
            for stage in run.stages(size):
                yield from self._stage(stage)
        finally:
            cluster.let_go(self._answers)
        kinds = "; ".join(differing(environment(self._conditions.device), self._machines))
        if kinds:
            run.noted(OTHERS.format(kinds=kinds))

    def _asking(self, kind: Kind, more: dict[str, Any]) -> WorkAnswer:
        answer = self._cluster.ask(WorkItem(kind, self._source, {**self._asked, **more}))
        self._answers.append(answer)
        return answer

    def _stage(self, stage: Sequence[ScanBatch]) -> Work[Scan]:
        """Count the batches of a stage, and take them as they come."""
        run, looks = self._run, [look for look in self._run.looks if look <= stage[-1].goal]
        dense = self._asking("scan dense", {"looks": looks, "rows": run.by_rows})
        if run.by_rows:
            yield from self._cluster.result(dense)
        pieces = divided(stage, PIECES_A_WORKER * self._cluster.workers)
        begun: deque[tuple[ScanBatch, WorkAnswer]] = deque()
        while pieces or begun:
            while pieces and len(begun) < AHEAD * self._cluster.workers:
                begun.append((pieces[0], self._asking_for(pieces.popleft())))
            batch, answer = begun.popleft()
            yield from self._cluster.result(answer)
            yield self._taken(batch, answer, dense)
        yield from self._cluster.result(dense)
        self._take_dense(dense, looks[-1])

    def _asking_for(self, batch: ScanBatch) -> WorkAnswer:
        span = {"start": batch.start, "stop": batch.stop, "looks": list(self._run.looks)}
        return self._asking("scan batch", {**span, "ratios": self._run.changing(batch)})

    def _taken(self, batch: ScanBatch, answer: WorkAnswer, dense: WorkAnswer) -> Step[Scan]:
        assert answer.known is not None
        self._take_dense(dense, batch.goal)
        self._machines.append(answer.known["environment"])
        result = answer.known["result"]
        gains = [gain_of(gain, self._metrics) for gain in result["gains"]]
        return self._run.take(batch, gains, gain_of(result["dense"], self._metrics))

    def _take_dense(self, dense: WorkAnswer, goal: int) -> None:
        """Take the dense model's results up to a look, if they are there."""
        if not self._cluster.is_there(dense):
            return
        assert dense.known is not None
        for data in dense.known["result"]["counts"]:
            if data["samples"] <= goal:
                self._run.take_dense(Count(**data))


def divided(stage: Sequence[ScanBatch], pieces: int) -> deque[ScanBatch]:
    """Divide the batches of a stage among blocks of parts, until there are enough pieces for all workers.

    Blocks are stretches of the graph: the dense model is run up to the last part of a block. An early part
    takes longer, since more of the graph comes after it, so early blocks have fewer parts.
    """
    parts = list(dict.fromkeys(part for batch in stage for part, _ in batch.points))
    blocks = min(len(parts), max(1, math.ceil(pieces / len(stage))))
    weights = [len(parts) - place for place in range(len(parts))]
    total, seen, block_of = sum(weights), 0, dict[str, int]()
    for part, weight in zip(parts, weights, strict=True):
        block_of[part] = min(blocks - 1, blocks * seen // total)
        seen += weight
    divided_batches: deque[ScanBatch] = deque()
    for batch in stage:
        for block in range(blocks):
            points = tuple(point for point in batch.points if block_of[point[0]] == block)
            if points:
                divided_batches.append(replace(batch, points=points))
    return divided_batches
