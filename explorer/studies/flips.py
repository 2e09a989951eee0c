"""Several pruned models on the same samples: where their answers flip, and which classes lose."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from torch import Tensor

from ..engine.candidate import prepare
from ..engine.conditions import Conditions, class_task, split_for
from ..engine.dense_model import baseline
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..measuring.evaluation import Execution, evaluate
from ..measuring.statistics import holm, paired_p_value, wilson
from ..measuring.tally import Tally, drop_between
from ..pruning.decision import calibrate
from ..recovery.results import recovered_candidate
from ..recovery.values import Recovery
from ..values.progress import Step, Work, reached
from ..values.recipe import Recipe
from ..values.report import Drop


@dataclass(frozen=True, eq=False)
class Contender:
    """A model to measure: the dense one if the recipe is empty, a trained one if a recovery is given."""

    name: str
    model: Analysed
    recipe: Recipe
    recovery: Recovery | None = None


@dataclass(frozen=True, eq=False)
class Poll:
    """What each model predicts for the same samples.

    Args:
        tallies: name -> its predictions, in the order asked.
        targets: (samples,) int64 classes.
        classes: names.
    """

    tallies: dict[str, Tally]
    targets: Tensor
    classes: tuple[str, ...]


def ask(candidates: Sequence[Contender], conditions: Conditions) -> Work[Poll]:
    """Measure each model; yields Progress after each batch, and the Poll at the end.

    Args:
        candidates: with different names.
    Raises:
        ExplorerError: no data, or not all on the same data.
    """
    task = class_task(candidates[0].model.subject, "comparison of answers")
    if any(
        c.model.subject.task is None or c.model.subject.task.fingerprint != task.fingerprint
        for c in candidates
    ):
        raise ExplorerError(
            "These runs are of models on different data, so their answers cannot be compared."
        )
    split = split_for(candidates[0].model.subject, conditions)
    tallies: dict[str, Tally] = {}
    for done, candidate in enumerate(candidates):
        for step in _answers(candidate, conditions):
            tally = step.value
            if tally is None:
                yield Step(progress=step.progress)
                continue
            tallies[candidate.name] = tally
            yield reached(done * len(split) + len(tally), len(candidates) * len(split), "Answers")
    yield Step(Poll(tallies, split.targets.cpu(), task.class_names))


def _answers(candidate: Contender, conditions: Conditions) -> Work[Tally]:
    model, recipe = candidate.model, candidate.recipe
    split, task = split_for(model.subject, conditions), model.subject.task
    assert task is not None
    if recipe.is_empty and candidate.recovery is None:
        yield from map(Step, baseline(model, conditions, len(split)))
        return
    yield from calibrate(model, recipe, conditions.device)
    if candidate.recovery is not None:
        network = recovered_candidate(model, candidate.recovery, conditions.device).model
    else:
        network = prepare(model, recipe, conditions.device).model
    grown = evaluate(network, split, task.normalisation, [len(split)], Execution(conditions.device))
    yield from map(Step, grown)


# --------------------------------------------------------------------------- pairs


@dataclass(frozen=True)
class Flips:
    """Two models on the same samples.

    Args:
        both_right, only_first, only_second, both_wrong: samples.
        same_answer: samples for which they predict the same class, right or wrong.
        drop: accuracy of the first minus that of the second.
        p_value: of no difference, adjusted by Holm for all pairs that are compared together.
    """

    first: str
    second: str
    both_right: int
    only_first: int
    only_second: int
    both_wrong: int
    same_answer: int
    drop: Drop
    p_value: float

    @property
    def samples(self) -> int:
        return self.both_right + self.only_first + self.only_second + self.both_wrong


def flips(poll: Poll) -> tuple[Flips, ...]:
    """Compare every pair of models."""
    pairs = list(combinations(poll.tallies.items(), 2))
    lost = [
        (int((a.correct & ~b.correct).sum()), int((~a.correct & b.correct).sum())) for (_, a), (_, b) in pairs
    ]
    adjusted = holm([paired_p_value(b, c) for b, c in lost])
    return tuple(_flips(*pair, p) for pair, p in zip(pairs, adjusted, strict=True))


def _flips(first: tuple[str, Tally], second: tuple[str, Tally], p_value: float) -> Flips:
    (name, a), (other, b) = first, second

    def count(where):
        return int(where.sum())

    return Flips(
        name,
        other,
        count(a.correct & b.correct),
        count(a.correct & ~b.correct),
        count(~a.correct & b.correct),
        count(~a.correct & ~b.correct),
        count(a.predictions == b.predictions),
        drop_between(a, b),
        p_value,
    )


# --------------------------------------------------------------------------- classes


@dataclass(frozen=True)
class ClassAccuracy:
    """One model on the samples of one class: a fraction with its 95 % Wilson interval."""

    name: str
    label: str
    correct: int
    samples: int
    accuracy: float
    low: float
    high: float


def class_accuracies(poll: Poll) -> tuple[ClassAccuracy, ...]:
    """Return every model's accuracy on every class that has samples."""
    rows = []
    for number, label in enumerate(poll.classes):
        there = poll.targets == number
        samples = int(there.sum())
        for name, tally in poll.tallies.items() if samples else ():
            correct = int(tally.correct[there].sum())
            low, high = wilson(correct, samples)
            rows.append(ClassAccuracy(name, label, correct, samples, correct / samples, low, high))
    return tuple(rows)
