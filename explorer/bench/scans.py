"""The scan compared with the plain loop that it replaces: prune, build and evaluate each point by itself."""

import math
import random
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..engine.candidate import build
from ..engine.conditions import Conditions, split_for
from ..engine.dense_model import baseline
from ..graph.analysed import Analysed
from ..measuring.evaluation import Execution, batch_of, evaluate
from ..measuring.statistics import wilson
from ..measuring.tally import Tally, judged
from ..pruning.decision import masks_for
from ..studies.sensitivity.branching import Branches, touched_tensors
from ..studies.sensitivity.graph_pieces import Workshop
from ..studies.sensitivity.scan import scan
from ..studies.sensitivity.values import RATIOS, Scan, ScanPlan
from ..values.granularity import CHANNEL
from ..values.recipe import Recipe
from .counted import counted_macs
from .effort import Effort, opened
from .timed_rows import Timeable, TimedRow, interleaved, row, seconds, stages

EXACT_RATIOS = (0.1, 0.3, 0.5, 0.7, 0.9)
EXACT_BATCH = 64  # samples of one pair
Point = tuple[str, float]


@dataclass(frozen=True, eq=False)
class Loops:
    """An exact scan and the plain loop that it replaces, on prepared batches.

    Args:
        models: (part, ratio) -> the model of the plain loop.
        todo: part -> ratios.
        batches: (inputs, targets) of each.
        setting_up: seconds to set up the plain loop's models.
        first: seconds to set up the branches, including their first batch.
    """

    branches: Branches
    models: Mapping[Point, nn.Module]
    todo: Mapping[str, Sequence[float]]
    batches: Sequence[tuple[Tensor, Tensor]]
    setting_up: float
    first: float

    def scan(self, index: int) -> dict[Point, Tally | None]:
        """Run the scan on one batch: (part, ratio) -> logits, None if pruning cannot change them."""
        inputs, targets = self.batches[index % len(self.batches)]
        return _walked(self.branches, inputs, targets, self.todo)

    def plain(self, index: int) -> dict[Point, Tally]:
        """Run the same by the plain loop."""
        inputs, targets = self.batches[index % len(self.batches)]
        with torch.inference_mode():
            return {point: judged(model(inputs), targets).cpu() for point, model in self.models.items()}

    def differing(self) -> int:
        """Return how many points the two count differently on the first batch."""
        ours, theirs = self.scan(0), self.plain(0)
        return sum(
            tally is not None and not torch.equal(tally.correct, theirs[point].correct)
            for point, tally in ours.items()
        )

    def bound(self) -> tuple[int, int]:
        """Return the multiply-adds of the scan and of the plain loop on one batch, counted by torch."""
        return counted_macs(lambda: self.scan(0)), counted_macs(lambda: self.plain(0))


def _walked(
    branches: Branches, inputs: Tensor, targets: Tensor, todo: Mapping[str, Sequence[float]]
) -> dict[Point, Tally | None]:
    found = {}
    for part, answers in branches.walk(inputs, todo):
        for ratio, logits in answers:
            found[part, ratio] = None if logits is None else judged(logits, targets).cpu()
    return found


def _loops(model: Analysed, device: str) -> Loops:
    assert model.subject.task is not None
    split, normalisation = (
        split_for(model.subject, Conditions(device=device)),
        model.subject.task.normalisation,
    )
    size = min(EXACT_BATCH, len(split))
    batches = [
        batch_of(split, normalisation, s, s + size, device) for s in range(0, len(split) - size + 1, size)
    ]
    todo = dict.fromkeys(model.profile.free_groups, EXACT_RATIOS)
    points = [(part, ratio) for part in todo for ratio in EXACT_RATIOS]

    def masks_of(part, ratio):
        return masks_for(model, Recipe(channels={part: ratio}))

    models: dict[Point, nn.Module] = {}
    setting_up = seconds(
        lambda: models.update({p: build(model, masks_of(*p), device) for p in points}), device
    )
    started = time.perf_counter()
    branches = Branches(
        Workshop(model, device),
        touched_tensors(model.graph, CHANNEL),
        masks_of,
        len(EXACT_RATIOS),
    )
    _walked(branches, *batches[0], todo)
    return Loops(branches, models, todo, batches, setting_up, time.perf_counter() - started)


def exact(size: Effort, device: str) -> Iterator[TimedRow]:
    """Time the exact scan of coupled groups: one pair per batch; building is counted once for all samples of
    the split.
    """
    model = opened(size.live)
    loops, total = (
        _loops(model, device),
        len(split_for(model.subject, Conditions(device=device))),
    )

    def works(index: int) -> tuple[Timeable, Timeable]:
        return (lambda: loops.scan(index), lambda: loops.plain(index))

    pairs = interleaved(works, size.pairs, device, long_count=size.long_pairs)
    building, batch = max(0.0, loops.first - pairs.medians[0]), len(loops.batches[0][0])
    whole = pairs.plus(building, loops.setting_up, total / batch)
    macs, plain_macs = loops.bound()
    bound, points = plain_macs / macs, len(loops.models)
    went = stages(
        {
            "a batch of the scan": pairs.medians[0],
            "of the plain loop": pairs.medians[1],
            "building branches": building,
            "building models": loops.setting_up,
        }
    )
    details = {
        "model": model.subject.name,
        "points": points,
        "samples": total,
        "ratios": EXACT_RATIOS,
        "bound_from_macs": bound,
        "equal_counts": f"{points - loops.differing()} of {points}",
        **whole.details,
    }
    against = (
        f"plain loop: build and evaluate each point, batch {batch}, fp32, {total:,} samples from "
        f"{len(pairs.ours)} batches"
    )
    speed_up = row("scan_exact_speedup", whole, against, inverse=True, bound_by=went, details=details)
    yield speed_up
    value, low, high = (part / bound for part in (speed_up.value, speed_up.low, speed_up.high))
    yield TimedRow(
        "scan_exact_over_bound",
        value,
        low,
        high,
        f"speed-up that counted MACs allow: {bound:.2f}",
        0.9,
        True,
        len(pairs.ours),
        bound_by=went,
        details=details | {"achieved_speedup": speed_up.value},
    )


# --------------------------------------------------------------------------- adaptive


def adaptive(size: Effort, device: str) -> Iterator[TimedRow]:
    """Yield a row for the model of the table."""
    yield _adaptive(size.scanned, size.scan_points, device)


def adaptive_others(size: Effort, device: str) -> Iterator[TimedRow]:
    """Yield rows for further models; they take long."""
    for name in size.also_scanned:
        yield _adaptive(name, size.scan_points // 2, device)


def _adaptive(name: str, count: int, device: str) -> TimedRow:
    """Time the adaptive scan of all points against the plain loop, whose time is estimated from a random part
    of the points.

    The dense model's own outputs are known to both.
    """
    model = opened(name)
    conditions = Conditions(device=device)
    everything = [(part, ratio) for part in model.profile.free_groups for ratio in RATIOS]
    chosen = random.Random(0).sample(everything, min(count, len(everything)))
    with tempfile.TemporaryDirectory() as folder:
        adaptive, took, plain, dense = _raced(model, conditions, chosen, Path(folder))
    total = len(split_for(model.subject, conditions))
    loop = tuple(len(everything) * seconds_each for _, seconds_each in plain.values())
    # the mean of the drawn points estimates the loop; their spread is the uncertainty, the scan itself was
    # timed once
    value, low, high = _mean_ratio(loop, took)
    inside = sum(_holds(adaptive, point, dense, correct, total) for point, (correct, _) in plain.items())
    seen = sum(point.samples for point in adaptive.points) / (len(adaptive.points) * total)
    held = wilson(inside, len(chosen))
    return TimedRow(
        f"scan_adaptive_speedup_{name}",
        value,
        low,
        high,
        f"plain loop of {len(everything)} points on all {total:,} samples, from {len(chosen)} of them drawn "
        "at random",
        10.0,
        True,
        len(chosen),
        bound_by=f"it looked at {100 * seen:.1f} % of the plain loop's samples, "
        f"each {value * seen:.2f} times as fast",
        details={
            "model": model.subject.name,
            "within_interval": inside / len(chosen),
            "within_low": held[0],
            "within_high": held[1],
            "within_points": f"{inside} of {len(chosen)}",
            "samples_seen": seen,
            "seconds": took,
            "baseline_seconds": sum(loop) / len(loop),
        },
    )


def _raced(
    model: Analysed, conditions: Conditions, chosen: Sequence[Point], folder: Path
) -> tuple[Scan, float, dict[Point, tuple[int, float]], int]:
    """Run the scan and the plain loop's points in turns.

    Returns: the finished scan, its seconds, point -> (correct, seconds), and the dense model's correct-count.
    """
    total = len(split_for(model.subject, conditions))
    *_, known = baseline(model, conditions, total)
    dense = int(known.correct.sum())
    waiting, plain = list(chosen), {}
    newest, took, turn = None, 0.0, 0.0
    steps = scan(model, ScanPlan(CHANNEL), conditions, folder=folder)
    while True:
        started = time.perf_counter()
        step = next(steps, None)
        took += time.perf_counter() - started
        if step is None:
            break
        newest = step.value or newest
        if waiting and took > turn:
            point = waiting.pop()
            plain[point] = _alone(model, conditions, Recipe(channels={point[0]: point[1]}))
            turn = took + plain[point][1] / 4
    for point in waiting:
        plain[point] = _alone(model, conditions, Recipe(channels={point[0]: point[1]}))
    assert newest is not None
    return newest, took, plain, dense


def _alone(model: Analysed, conditions: Conditions, recipe: Recipe) -> tuple[int, float]:
    """Run one point of the plain loop: (correct of all samples, seconds)."""
    task = model.subject.task
    assert task is not None
    split, counted = split_for(model.subject, conditions), []

    def work() -> None:
        network = build(model, masks_for(model, recipe), conditions.device)
        *_, tally = evaluate(network, split, task.normalisation, [len(split)], Execution(conditions.device))
        counted.append(int(tally.correct.sum()))

    took = seconds(work, conditions.device)
    return counted[0], took


def _holds(found: Scan, point: Point, dense: int, correct: int, total: int) -> bool:
    """Whether the interval of a point for the result on all samples contains that result."""
    stated = next(p for p in found.points if (p.part, p.ratio) == point).reach
    return stated.low - 1e-12 <= (dense - correct) / total <= stated.high + 1e-12


def _mean_ratio(loop: Sequence[float], took: float) -> tuple[float, float, float]:
    """Return the mean of the loop's estimates over the scan's seconds, with a 95 % interval by the normal
    distribution of the mean.
    """
    mean = sum(loop) / len(loop)
    spread = math.sqrt(sum((s - mean) ** 2 for s in loop) / max(1, len(loop) - 1) / len(loop))
    return mean / took, (mean - 1.96 * spread) / took, (mean + 1.96 * spread) / took
