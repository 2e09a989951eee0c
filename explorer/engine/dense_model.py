"""The dense model next to every measurement: its outputs and costs, cached for the next recipe."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from ..graph.analysed import Analysed
from ..machine.cache import Cache
from ..measuring.evaluation import Execution, Forward, evaluate, inputs_of
from ..measuring.judging import Judge, judge_for
from ..measuring.tally import EMPTY, Tally
from ..values.recipe import Recipe
from ..values.samples import DerivedSplit, Split
from ..values.subject import Subject
from .candidate import Candidate, prepare
from .conditions import Conditions, fitting_batch, split_for

_tallies = Cache(16, "counted answers of dense models")
LARGE = 2**24  # weights; of a model with more, the dense one that is measured shares the memory
_looks = Cache(64, "intervals of dense models")  # with their intervals, which every recipe shows
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
    known: Tally | None = _looks.get((*key, look))
    if known is not None:
        yield known
        return
    base: Tally = _tallies.get(key) or EMPTY
    forward = _known_outputs(model, split) if _compares_outputs(judge) else None
    how = Execution(conditions.device, fitting_batch(subject, conditions.device), notes, forward, judge)
    for grown in evaluate(model, split, task.normalisation, [look], how, start=base):
        base = _tallies.put(key, grown)
        if len(base) < look:
            yield base
    yield _looks.put((*key, look), base.first(look))


def _compares_outputs(judge: Judge | None) -> bool:
    """Whether a model's outputs, as they are, are compared with the dense model's and judged by nothing of
    the user's own that reads them otherwise.
    """
    own = judge is None or judge.answer is not None or judge.own_loss or judge.scores is not None
    return not own and judge is not None and judge.needs_dense


def _known_outputs(model: nn.Module, split: Split) -> Forward:
    """Return a forward that takes the dense model's outputs from a split that compares with them.

    The first batch is computed once more: only if both times are equal to the last bit, the others are not. A
    model that draws random numbers, or one in another number format, agrees with itself less than wholly.
    """
    is_alike: list[bool] = []

    def forward(start: int, stop: int, read: Callable[[], Tensor]) -> Any:
        known = split.targets_at(start, stop)[1]
        if is_alike == [True]:
            return tree_map(lambda leaf: leaf.clone(), known)
        outputs = model(read())
        if not is_alike:
            pairs = list(zip(tree_leaves(outputs), tree_leaves(known), strict=False))
            plain = all(isinstance(leaf, Tensor) for pair in pairs for leaf in pair)
            is_alike.append(plain and all(torch.equal(one, other) for one, other in pairs))
        return outputs

    return forward


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
