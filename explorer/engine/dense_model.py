"""The dense model next to every measurement: its answers and what it costs, kept for the next recipe."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from torch import nn

from ..graph.analysed import Analysed
from ..machine.cache import Cache
from ..measuring.evaluation import EMPTY, Execution, Tally, evaluate
from ..measuring.statistics import paired_drop
from ..values.recipe import Recipe
from ..values.report import Drop
from ..values.subject import Split, Subject
from .candidate import Candidate, prepare
from .conditions import Conditions, fitting_batch, split_for

_tallies = Cache(16, "counted answers of dense models")
LARGE = 2**24  # weights; of a model with more, the dense one that is measured shares the memory
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
    """The dense model's tally, continued batch by batch where fewer than `look` samples are known; the last
    has just them.
    """
    task = subject.task
    assert task is not None
    key = (subject.id, task.name, task.fingerprint, conditions.split, conditions.device, conditions.dtype)
    base: Tally = _tallies.get(key) or EMPTY
    how = Execution(conditions.device, fitting_batch(subject, conditions.device), notes)
    for grown in evaluate(model, split, task.normalisation, [look], how, start=base):
        base = _tallies.put(key, grown)
        if len(base) < look:
            yield base
    yield base.first(look)


def baseline(model: Analysed, conditions: Conditions, look: int) -> Iterator[Tally]:
    """The dense model on the first samples, in float32: a tally after each batch, the last with just `look`;
    kept for later.
    """
    conditions = replace(conditions, dtype="float32")
    dense = dense_candidate(model, conditions.device)
    yield from dense_tallies(
        dense.model, model.subject, split_for(model.subject, conditions), conditions, look, lambda note: None
    )


def drop_between(base: Tally, pruned: Tally, level: float = 0.95) -> Drop:
    """Paired comparison on the same samples."""
    b = int((base.correct & ~pruned.correct).sum())
    c = int((~base.correct & pruned.correct).sum())
    return paired_drop(b, c, len(base), level=level)
