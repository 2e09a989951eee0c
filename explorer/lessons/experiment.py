"""Measures an experiment on a model point by point and returns Evidence. Never modifies the models it is
given.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ..engine.candidate import prepare
from ..engine.conditions import Conditions, class_task, split_for
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..graph.export import ModelGraph, count_macs
from ..machine.environment import environment
from ..measuring.evaluation import Execution, evaluate
from ..measuring.judging import Judge
from ..measuring.latency import WARM_UP_ROUNDS, TimingPlan, rounds
from ..measuring.storage_size import sizes
from ..pruning.decision import decide
from ..pruning.masks import expand
from ..recovery.recover import recover, recovered_model
from ..recovery.training_plan import suggested
from ..recovery.values import Recovery
from ..registry import METRICS
from ..values.granularity import WEIGHT
from ..values.profile import Masks
from ..values.progress import Progress, Returning, Step, Work, reached
from ..values.recipe import Recipe
from ..values.report import Measurement
from ..values.subject import Subject, Task
from .evidence import ArmPoint, Evidence, Timed
from .recipes import UnreachableError, fits, recipe_steps
from .values import DENSE, Arm, Experiment

NEXT_TOKEN = "next_token_accuracy"
ROUNDS, TIMING_SECONDS = 60, 2.0  # for all models of one batch size


def run(
    experiment: Experiment, model: str, load: Callable[[str], Analysed], device: str = "cpu"
) -> Work[Evidence]:
    """Measure every arm at every point. Yields a growing Evidence after each, and Progress between batches.

    Args:
        model: the model of the experiment, except for arms that name their own.
        load: name -> model.
    Raises:
        ExplorerError: a model has no data, has no part that an arm prunes, or compares a part with itself.
    """
    why = fits(load(model).graph, experiment)
    if why is not None:
        raise ExplorerError(why)
    todo = [(arm, x) for arm in experiment.arms for x in experiment.points_of(arm)]
    evidence = Evidence(model, expected=len(todo), environment=environment(device))
    models: dict[Timed, nn.Module] = {}
    for done, (arm, x) in enumerate(todo):
        opened = load(arm.model or model)
        samples = arm.samples or experiment.samples
        if arm.name not in evidence.dense:
            dense, base = yield from _measured(
                opened, Arm(DENSE, DENSE, WEIGHT), 0.0, Recipe(), samples, device
            )
            evidence = replace(
                evidence,
                dense={**evidence.dense, arm.name: base},
                samples=max(evidence.samples, len(base.correct)),
            )
            if not arm.model:
                models.setdefault((DENSE, 0.0, 0), dense)
        now = Progress(done + 1, len(todo), "pruned models measured")
        try:
            recipe = yield from recipe_steps(opened, experiment, arm, x, device)
        except UnreachableError as error:
            evidence = replace(evidence, missing={**evidence.missing, (arm.name, x): str(error)})
            yield Step(evidence, now)
            continue
        built, point = yield from _measured(opened, arm, x, recipe, samples, device)
        evidence = replace(evidence, points={**evidence.points, (arm.name, x): point})
        if x in experiment.timed_at and not arm.model and arm.by_hand == "no":
            models[arm.name, x, 0] = built
        yield Step(evidence, now)
    for batch in experiment.batches:
        evidence = yield from _timed(evidence, models, load(model).subject, batch, device)
        yield Step(evidence)
    yield Step(replace(evidence, finished=True))


def _measured(
    model: Analysed, arm: Arm, x: float, recipe: Recipe, samples: int | None, device: str
) -> Returning[tuple[nn.Module, ArmPoint]]:
    """Measure the model of this arm at x, and its predictions; yields between batches."""
    task, judge = _judged(model.subject)
    split = split_for(model.subject, Conditions(samples=samples, device=device))
    spread: tuple[tuple[int, ...], ...] = ()
    if arm.training:
        network, spread = yield from _trained(model, arm, recipe, device)
        static = static_of(network, model.subject)
    elif arm.by_hand == "no":
        candidate = prepare(model, recipe, device)
        network, static = candidate.model, candidate.static
    else:
        network = masked_by_hand(model, recipe, everywhere=arm.by_hand == "everywhere").to(device)
        static = Measurement(params=model.profile.params, macs=model.profile.macs)
    for tally in evaluate(network, split, task.normalisation, [len(split)], Execution(device, judge=judge)):
        if len(tally) < len(split):
            yield reached(len(tally), len(split), f"samples of {arm.name} at {x:g}")
    counted, correct = tally.measurement(), tally.correct
    if judge is not None:
        tokens = tally.pooled(NEXT_TOKEN)  # (documents, right and all)
        correct = tokens[:, 0] * len(tokens) / tokens[:, 1].sum()
    full = replace(
        counted,
        params=static.params,
        nonzero_params=static.nonzero_params,
        macs=static.macs,
        size_bytes=_weighed(network, static),
    )
    return network, ArmPoint(arm.name, x, recipe, full, correct, tally.predictions, spread)


def _judged(subject: Subject) -> tuple[Task, Judge | None]:
    """Return the task of a model, and how its answers are judged: None for one class per sample, and the next
    token for a language model.

    Raises:
        ExplorerError: there is no data, or its task has another kind of output.
    """
    task = subject.task
    if task is None or NEXT_TOKEN not in task.metrics:
        return class_task(subject, "lesson"), None
    return task, Judge((METRICS[NEXT_TOKEN](),))


def _trained(
    model: Analysed, arm: Arm, recipe: Recipe, device: str
) -> Returning[tuple[nn.Module, tuple[tuple[int, ...], ...]]]:
    """Return the model after the arm's training (from the cache if it was trained before), and the spread of
    a penalty.
    """
    given = dict(arm.training)
    plan = suggested(
        model.subject,
        given.pop("method", "finetune"),
        **{name: _as_plan(value) for name, value in given.items()},
    )
    recovery: Recovery | None = None
    for step in recover(model, recipe, plan, Conditions(device=device, latency=False)):
        recovery, now = step.value or recovery, step.progress
        yield Step(progress=replace(now, label=f"batches, {arm.label}") if now else None)
    if recovery is None or not recovery.finished:
        raise ExplorerError("The training of this lesson did not come to its end; start it again.")
    spread = tuple(point.norms for point in recovery.epochs if point.norms)
    return recovered_model(model, recovery.key).to(device), spread


def _as_plan(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def static_of(model: nn.Module, subject: Subject) -> Measurement:
    """Return the parameters and MACs of a model. Bytes are measured later."""
    parameters = list(model.parameters())
    return Measurement(
        params=sum(p.numel() for p in parameters),
        nonzero_params=sum(int(torch.count_nonzero(p)) for p in parameters),
        macs=count_macs(model, subject.example[:1].to(parameters[0].device)),
        size_bytes={"dense": 0},
    )


def _weighed(model: nn.Module, static: Measurement) -> Mapping[str, int] | None:
    tensors = {name: tensor.detach().cpu() for name, tensor in model.state_dict(keep_vars=True).items()}
    return sizes(tensors) if static.size_bytes else None


def masked_by_hand(model: Analysed, recipe: Recipe, *, everywhere: bool) -> nn.Module:
    """Return a copy of the model with removed parts set to zero.

    Args:
        everywhere: in every tensor that they touch. Otherwise only in the weights of the layers that produce
            them, as in a naive attempt: biases and norms keep their values.
    """
    network = copy.deepcopy(model.subject.model)
    masks = decide(model, recipe).masks
    tensors = dict(network.named_parameters(remove_duplicate=False)) | dict(
        network.named_buffers(remove_duplicate=False)
    )
    keep = expand(masks, model.profile, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    producing = _producers(model.graph, masks)
    with torch.no_grad():
        for name, mask in keep.items():
            if everywhere or name in producing:
                tensors[name].mul_(mask)
    return network.eval()


def _producers(graph: ModelGraph, masks: Masks) -> set[str]:
    """Return the weights (without biases and norms) whose outputs are cut, and those that are pruned one by
    one.
    """
    layers = graph.profile.prunable_layers.values()
    weights = {layer.weight for layer in layers}
    made = {s.tensor for g in graph.profile.groups if g.name in masks.channels for s in g.slots if s.producer}
    return (made & weights) | {layer.weight for layer in layers if layer.name in masks.weights}


def _timed(
    evidence: Evidence, models: Mapping[Timed, nn.Module], subject: Subject, batch: int, device: str
) -> Returning[Evidence]:
    """Add the times of one batch size to the evidence, with all models measured in turns."""
    named = {f"{arm} {x:g}": (arm, x, batch) for arm, x, _ in models}
    ready = dict(zip(named, models.values(), strict=True))
    times: dict[Timed, list[float]] = {key: [] for key in named.values()}
    clock = rounds(
        ready,
        subject.example[:1],
        TimingPlan(batch=batch, pairs=ROUNDS, budget_s=TIMING_SECONDS),
        device=device,
    )
    for turns, turn in enumerate(clock, 1):
        for name, milliseconds in (turn.value or {}).items():
            times[named[name]].append(milliseconds)
        yield reached(turns, ROUNDS + WARM_UP_ROUNDS, f"rounds of the clock at batch {batch}")
    return replace(evidence, times={**evidence.times, **{key: tuple(ms) for key, ms in times.items()}})
