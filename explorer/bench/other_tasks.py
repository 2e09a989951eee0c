"""The same two questions for each of the samples whose task is another: masks, boxes, texts, real digits."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from torch import nn

from ..engine.candidate import build, prepare
from ..engine.conditions import Conditions, first_look, fitting_batch, split_for
from ..engine.measure import stream
from ..graph.analysed import Analysed
from ..measuring.evaluation import Execution, batch_of, evaluate
from ..measuring.judging import judge_for
from ..measuring.statistics import look_schedule
from ..measuring.storage_size import deflated_size, state_of
from ..measuring.tally import Tally, drop_between
from ..pruning.decision import masks_for
from ..values.recipe import Recipe
from .bare_loops import bare_loop
from .effort import Effort, opened
from .live_moves import OVERHEAD, first_answer, forward_all, recipe_at, resident
from .timed_rows import Timeable, TimedRow, interleaved, row, seconds, stages

INTERVALS = 0.05  # of an evaluation's time
SAMPLES = ("shapes-unet", "shapes-detector", "mnist-mlp", "mnist-lenet", "code-lm")


def rows_of(name: str) -> Callable[[Effort, str], Iterator[TimedRow]]:
    """Return the part of the table for one sample model: its first answer, and the whole evaluation of half
    its channels and of half its weights.
    """

    def rows(size: Effort, device: str) -> Iterator[TimedRow]:
        model = opened(name)
        pairs = min(size.pairs, size.task_pairs)
        yield first_answer(name, pairs, device, False)
        for structured in (True, False):
            yield _whole(model, structured, pairs, size, device)
        yield _intervals(model, pairs, size, device)

    return rows


def _intervals(model: Analysed, count: int, size: Effort, device: str) -> TimedRow:
    """Time all intervals of an evaluation, over the evaluation without them."""
    task = model.subject.task
    assert task is not None
    conditions = Conditions(size.task_samples, device=device, latency=False)
    split, judge = split_for(model.subject, conditions), judge_for(task)
    looks = look_schedule(len(split), first_look(model.subject, device))
    how = Execution(device, fitting_batch(model.subject, device), judge=judge)

    def tallies(network: nn.Module) -> Iterator[Tally]:
        """Yield those of the looks, each before anything is known about it but sums of the first samples."""
        for tally in evaluate(network, split, task.normalisation, looks, how):
            if len(tally) in looks:
                yield replace(tally)
                tally.measurement()  # as a look does, before the next samples

    base = list(tallies(build(model, masks_for(model, Recipe()), device)))
    for tally in base:  # the dense model's are kept
        tally.measurement()

    def make(index: int) -> tuple[Timeable, Timeable]:
        network = build(model, masks_for(model, recipe_at(model.graph, True, index / (count + 2))), device)
        new = list(tallies(network))
        return (
            lambda: [(drop_between(*pair), pair[1].measurement()) for pair in zip(base, new, strict=True)],
            lambda: list(evaluate(network, split, task.normalisation, looks, how)),
        )

    pairs = interleaved(make, count, device)
    return row(
        f"intervals_over_evaluation_{model.subject.name}",
        pairs,
        "normalise, forward and judge, without intervals",
        goal=INTERVALS,
        details={"model": model.subject.name, "samples": len(split), "looks": len(looks), **pairs.details},
    )


def _whole(model: Analysed, structured: bool, count: int, size: Effort, device: str) -> TimedRow:
    task, name = model.subject.task, model.subject.name
    assert task is not None
    conditions = Conditions(size.task_samples, device=device, latency=False)
    split, batch = split_for(model.subject, conditions), fitting_batch(model.subject, device)
    inputs, targets = batch_of(split, task.normalisation, 0, len(split), device)

    def make(index: int) -> tuple[Timeable, Timeable]:
        recipe = recipe_at(model.graph, structured, index / (count + 2))
        network = build(model, masks_for(model, recipe), device)
        return (
            lambda: list(stream(model, recipe, conditions)),
            lambda: bare_loop(task, network, inputs, targets, batch),
        )

    pairs = interleaved(make, count, device, long_count=size.long_pairs)
    took = _stages(model, recipe_at(model.graph, structured, 0.0), conditions)
    return row(
        f"live_full_over_bare_{'structured' if structured else 'unstructured'}_{name}",
        pairs,
        f"plain loop with metric and loss over the same compact module, batch {batch}, fp32",
        goal=OVERHEAD,
        bound_by=stages(took),
        details={"model": name, "samples": len(split), **pairs.details, "stages": took},
    )


def _stages(model: Analysed, recipe: Recipe, conditions: Conditions) -> dict[str, float]:
    """Return the seconds of each stage, measured alone."""
    task, device = model.subject.task, conditions.device
    assert task is not None
    split, judge = split_for(model.subject, conditions), judge_for(task)
    batch, network = fitting_batch(model.subject, device), prepare(model, recipe, device).model
    inputs, targets = batch_of(split, task.normalisation, 0, len(split), device)
    how = Execution(device, batch, judge=judge)

    def judged() -> object:
        return list(evaluate(network, split, task.normalisation, [len(split)], how))

    judged()
    return {
        "cut, build and count": seconds(lambda: prepare(model, recipe, device), device),
        "normalise, forward and judge": seconds(judged, device),
        "compressed size": seconds(lambda: deflated_size(state_of(network))),
        "bare forward": seconds(lambda: forward_all(network, resident(model.subject, conditions)), device),
        "bare loop": seconds(lambda: bare_loop(task, network, inputs, targets, batch), device),
    }
