"""The dense model next to every measurement: its outputs and costs, cached for the next recipe."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ..graph.analysed import Analysed
from ..machine.cache import Cache
from ..measuring.evaluation import Execution, evaluate, inputs_of
from ..measuring.judging import judge_for
from ..measuring.tally import EMPTY, Tally
from ..values.recipe import Recipe
from ..values.samples import DerivedSplit, Split
from ..values.subject import Subject
from .candidate import Candidate, prepare
from .conditions import Conditions, fitting_batch, split_for

_tallies = Cache(16, "counted answers of dense models")
LARGE = 2**24  # weights; of a model with more, the dense one that is measured shares the memory
_answers = Cache(512, "outputs of dense models", 512 * 2**20)
_models = Cache(16, "dense models, ready to run", 1024 * 2**20)


def dense_candidate(model: Analysed, device: str) -> Candidate:
    """The dense model as it is measured: it only runs, nobody writes into it."""
    key = (model.subject.id, model.graph.program is not None, device)
    large = sum(p.numel() for p in model.subject.model.parameters()) > LARGE
    return _models.get(key) or _models.put(key, prepare(model, Recipe(), device, share=large))


def dense_tallies(
    model: nn.Module,
    subject: Subject,
    split: Split,
    conditions: Conditions,
    look: int,
    notes: Callable[[str], None],
) -> Iterator[Tally]:
    """Yield the dense model's tally, continued batch by batch if fewer than `look` samples are known; the
    last has exactly those.
    """
    task = subject.task
    assert task is not None
    judge = judge_for(task)
    names = tuple(metric.name for metric in judge.metrics) if judge else ()
    about = (task.name, task.fingerprint, names)
    key = (subject.id, about, conditions.split, conditions.device, conditions.dtype)
    base: Tally = _tallies.get(key) or EMPTY
    how = Execution(conditions.device, fitting_batch(subject, conditions.device), notes, judge=judge)
    for grown in evaluate(model, split, task.normalisation, [look], how, start=base):
        base = _tallies.put(key, grown)
        if len(base) < look:
            yield base
    yield base.first(look)


def baseline(model: Analysed, conditions: Conditions, look: int) -> Iterator[Tally]:
    """Yield the dense model on the first samples, in float32: a tally after each batch, the last with exactly
    `look` samples; cached for later.
    """
    conditions = replace(conditions, dtype="float32")
    dense = dense_candidate(model, conditions.device)
    split = judged_split(model, conditions)
    yield from dense_tallies(dense.model, model.subject, split, conditions, look, lambda note: None)


def judged_split(model: Analysed, conditions: Conditions) -> Split:
    """Return the samples that these conditions ask for; if a metric compares with the dense model, targets
    are pairs of the stored ones and its outputs.

    Raises:
        ExplorerError: as of `split_for`.
    """
    split, task = split_for(model.subject, conditions), model.subject.task
    assert task is not None
    judge = judge_for(task)
    if judge is None or not judge.needs_dense:
        return split
    device = conditions.device
    dense = dense_candidate(model, device).model
    about = (model.subject.id, task.name, task.fingerprint, conditions.split, device)

    def answers(start: int, stop: int) -> Any:
        key = (*about, start, stop)
        picked = _answers.get(key)
        if picked is None:
            with torch.inference_mode():
                picked = judge.picked(dense(inputs_of(split, task.normalisation, start, stop, device)))
            _answers.put(key, picked)
        return split.targets_at(start, stop), picked

    return DerivedSplit(split, None, answers)
