"""What a moved fader costs beyond the forward passes that it needs, and how long its first number takes."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from ..background.lane import LIVE, Lane
from ..background.lanes import Lanes
from ..engine.candidate import build, prepare
from ..engine.conditions import Conditions, split_for
from ..engine.measure import stream
from ..graph.analysed import Analysed
from ..graph.export import ModelGraph
from ..measuring.evaluation import Execution, batch_of, batch_size, evaluate
from ..measuring.kept_activations import KEPT_BYTES, Trail
from ..measuring.storage_size import sizes
from ..pruning.decision import masks_for
from ..studies.sensitivity.scan import scan
from ..studies.sensitivity.values import Scan, ScanPlan
from ..values.granularity import CHANNEL
from ..values.progress import Step, Work, values_of
from ..values.recipe import Recipe
from ..values.report import Report
from ..values.subject import Subject
from .effort import Effort, opened
from .timed_rows import Timeable, TimedRow, interleaved, milliseconds_row, row, seconds, stages

ANSWER, SCAN = Lane("timed first answer", LIVE), Lane("scan of another session")
GOALS_MS = {
    "digits-cnn": 300.0,
    "shapes-resnet": 600.0,
    "shapes-unet": 300.0,
    "shapes-detector": 300.0,
    "mnist-mlp": 300.0,
    "mnist-lenet": 300.0,
    "code-lm": 600.0,
}  # from the release of a fader to a number in the browser
BROWSER_MS = 150.0  # of them, the time of the page's round trip alone
OVERHEAD = 1.1
LATE_SAMPLES = 1024
TIMEOUT_S = 120.0


def recipe_at(graph: ModelGraph, structured: bool, step: float) -> Recipe:
    """Return half of everything, or a bit more, so that no two pairs ask for the same recipe.

    Args:
        step: in [0, 1].
    """
    ratio = 0.5 + 0.2 * step
    if structured:
        return Recipe(channels=dict.fromkeys(graph.profile.free_groups, ratio))
    return Recipe(weights=dict.fromkeys(graph.profile.prunable_layers, ratio))


def resident(subject: Subject, conditions: Conditions) -> Tensor:
    """Return all samples as the model reads them, on the device: what a bare loop would have ready."""
    assert subject.task is not None
    split = split_for(subject, conditions)
    return batch_of(split, subject.task.normalisation, 0, len(split), conditions.device)[0]


def forward_all(model: nn.Module, inputs: Tensor) -> None:
    """Run only forward passes, in the batches of the evaluation."""
    with torch.inference_mode():
        for part in inputs.split(batch_size(inputs.device.type)):
            model(part)


# --------------------------------------------------------------------------- the whole evaluation


def full_evaluation(size: Effort, device: str) -> Iterator[TimedRow]:
    """Time from recipe to final accuracy and sizes, over a bare forward loop of the same compact module on
    the same samples.
    """
    model = opened(size.live)
    conditions = Conditions(min(size.samples, len(_tuning(model.subject))), device=device, latency=False)
    inputs = resident(model.subject, conditions)
    bare = f"bare forward loop of the same compact module, batch {batch_size(device)}, fp32"
    for structured in (True, False):

        def make(index: int, structured: bool = structured) -> tuple[Timeable, Timeable]:
            recipe = recipe_at(model.graph, structured, index / (size.pairs + 1))
            network = build(model, masks_for(model, recipe), device)
            return lambda: list(stream(model, recipe, conditions)), lambda: forward_all(network, inputs)

        pairs = interleaved(make, size.pairs, device, long_count=size.long_pairs)
        kind = "structured" if structured else "unstructured"
        took = _stages(model, recipe_at(model.graph, structured, 0.0), conditions, inputs)
        yield row(
            f"live_full_over_bare_{kind}",
            pairs,
            bare,
            goal=OVERHEAD,
            bound_by=stages(took),
            details={"model": model.subject.name, "samples": len(inputs), **pairs.details},
        )


def _stages(model: Analysed, recipe: Recipe, conditions: Conditions, inputs: Tensor) -> dict[str, float]:
    """Return the seconds of each stage of an evaluation, measured alone."""
    assert model.subject.task is not None
    split, normalisation, device = (
        split_for(model.subject, conditions),
        model.subject.task.normalisation,
        conditions.device,
    )
    network = prepare(model, recipe, device).model
    tensors = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
    return {
        "cut, build and count": seconds(lambda: prepare(model, recipe, device), device),
        "normalise, forward and judge": seconds(
            lambda: list(evaluate(network, split, normalisation, [len(split)], Execution(device))), device
        ),
        "compressed size": seconds(lambda: sizes(tensors)),
        "bare forward": seconds(lambda: forward_all(network, inputs), device),
    }


# --------------------------------------------------------------------------- the first answer


def first_answers(size: Effort, device: str) -> Iterator[TimedRow]:
    """Time from asking the worker to its first Report: alone, and while a scan of another session runs."""
    for name in (size.small, size.live):
        for scanning in (False, True):
            yield first_answer(name, size.pairs, device, scanning)


def first_answer(name: str, count: int, device: str, scanning: bool) -> TimedRow:
    """Time a model's first Report, in pairs with the forward passes that it needs."""
    model = opened(name)
    conditions = Conditions(device=device, latency=False)
    inputs = resident(model.subject, conditions)
    lanes = Lanes()
    first = inputs[: _first(model, Recipe(), conditions).pruned.samples]

    def make(index: int) -> tuple[Timeable, Timeable]:
        recipe = recipe_at(model.graph, index % 2 == 0, index / (count + 1))
        network = build(model, masks_for(model, recipe), device)
        return lambda: _answered(lanes, model, recipe, conditions), lambda: forward_all(network, first)

    try:
        if scanning:
            lanes.submit("another", SCAN, "bench", lambda: _endless_scan(model, conditions))
        pairs = interleaved(make, count, device)
    finally:
        lanes.shutdown()
    goal = GOALS_MS.get(name)
    return milliseconds_row(
        f"first_answer_ms_{name}" + ("_while_scanning" if scanning else ""),
        pairs,
        "bare forward of the same module on the same first samples: see ratio",
        goal=goal - BROWSER_MS if goal else None,
        bound_by=("one portion of the scan, then " if scanning else "") + "cut, build and the first samples",
        details={
            "model": name,
            "browser_goal_ms": goal,
            "browser_round_trip_ms": BROWSER_MS,
            "scanning": scanning,
        },
    )


def _first(model: Analysed, recipe: Recipe, conditions: Conditions) -> Report:
    return next(values_of(stream(model, recipe, conditions)))


def _answered(lanes: Lanes, model: Analysed, recipe: Recipe, conditions: Conditions) -> None:
    """Ask the worker and wait for the first Report."""
    lanes.submit(
        "bench",
        ANSWER,
        (recipe.fingerprint, time.perf_counter()),
        lambda: iter([Step(_first(model, recipe, conditions))]),
    )
    lanes.wait("bench", ANSWER, TIMEOUT_S)


def _endless_scan(model: Analysed, conditions: Conditions) -> Work[Scan]:
    """Repeat a scan for ever, without reading or writing a log that another scan could find."""
    while True:
        with tempfile.TemporaryDirectory() as folder:
            yield from scan(model, ScanPlan(CHANNEL, tolerance=None), conditions, folder=Path(folder))


# --------------------------------------------------------------------------- the same fader again


def late_move(size: Effort, device: str) -> Iterator[TimedRow]:
    """Time the last fader moved once more, starting at its layer from kept activations, over the whole
    forward of the same recipe.
    """
    model = opened(size.live)
    conditions = Conditions(
        min(LATE_SAMPLES, size.samples, len(_tuning(model.subject))), device=device, latency=False
    )
    trail, start = Trail(KEPT_BYTES[device]), recipe_at(model.graph, True, 0.0)
    list(stream(model, start, conditions, trail=trail))
    late = list(model.profile.free_groups)[-1]

    def make(index: int) -> tuple[Timeable, Timeable]:
        recipe = start.with_ratios(CHANNEL, {**start.channels, late: 0.1 + 0.7 * index / (size.pairs + 1)})

        def again():
            return list(stream(model, recipe, conditions, trail=trail))

        return again, lambda: list(stream(model, recipe, conditions))

    pairs = interleaved(make, size.pairs, device, long_count=size.long_pairs)
    details = {
        "model": model.subject.name,
        "group": late,
        "samples": conditions.samples,
        "kept_bytes": trail.bytes,
    }
    yield row(
        "late_move_speedup",
        pairs,
        "the same evaluation without kept activations",
        inverse=True,
        bound_by="cut, build, sizes, and the layers from the fader on",
        details=details,
    )


# --------------------------------------------------------------------------- masks


def mask_overhead(size: Effort, device: str) -> Iterator[TimedRow]:
    """Time the forward of a model with zeros in its weights over that of the dense one: same shapes, same
    kernels.
    """
    model = opened(size.live)
    dense = build(model, masks_for(model, Recipe()), device)
    masked = build(model, masks_for(model, recipe_at(model.graph, False, 0.0)), device)
    inputs = resident(model.subject, Conditions(samples=min(64, len(_tuning(model.subject))), device=device))
    works: tuple[Timeable, Timeable] = (
        lambda: forward_all(masked, inputs),
        lambda: forward_all(dense, inputs),
    )
    pairs = interleaved(lambda index: works, size.pairs, device)
    yield row(
        "mask_overhead",
        pairs,
        f"forward of the dense module, batch {len(inputs)}, fp32",
        goal=1.05,
        bound_by="the same kernels on the same shapes; zeros are numbers like others",
        details={"model": model.subject.name, **pairs.details},
    )


def _tuning(subject: Subject) -> Tensor:
    assert subject.task is not None
    split = subject.task.split("tuning")
    assert split is not None
    return split.targets
