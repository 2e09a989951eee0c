"""Several pruned models on the same samples: where their answers flip, which classes lose, or how much
the metric differs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from torch import Tensor

from ..engine.agreement import with_agreement
from ..engine.candidate import prepare
from ..engine.conditions import Conditions, split_for
from ..engine.dense_model import baseline, judged_split
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..measuring.evaluation import Execution, evaluate
from ..measuring.judging import judge_for
from ..measuring.statistics import holm, p_value_of, paired_p_value, wilson
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
    """What each model answers to the same samples.

    Args:
        tallies: name -> its answers and how they are judged, in the order asked.
        targets: (samples,) int64 classes; None if the task has other targets.
        classes: names.
    """

    tallies: dict[str, Tally]
    targets: Tensor | None
    classes: tuple[str, ...]

    @property
    def samples(self) -> int:
        return len(next(iter(self.tallies.values())))


def ask(candidates: Sequence[Contender], conditions: Conditions) -> Work[Poll]:
    """Measure each model; yields Progress after each batch, and the Poll at the end.

    Args:
        candidates: with different names.
    Raises:
        ExplorerError: no data, or not all on the same data.
    """
    candidates = [replace(c, model=with_agreement(c.model)) for c in candidates]
    task = candidates[0].model.subject.task
    assert task is not None
    if any(c.model.subject.task.fingerprint != task.fingerprint for c in candidates):  # type: ignore[union-attr]
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
    targets = split.targets.cpu() if task.tells_classes else None
    yield Step(Poll(tallies, targets, task.class_names))


def _answers(candidate: Contender, conditions: Conditions) -> Work[Tally]:
    model, recipe = candidate.model, candidate.recipe
    split, task = judged_split(model, conditions), model.subject.task
    assert task is not None
    if recipe.is_empty and candidate.recovery is None:
        yield from map(Step, baseline(model, conditions, len(split)))
        return
    yield from calibrate(model, recipe, conditions.device)
    if candidate.recovery is not None:
        network = recovered_candidate(model, candidate.recovery, conditions.device).model
    else:
        network = prepare(model, recipe, conditions.device).model
    grown = evaluate(
        network, split, task.normalisation, [len(split)], Execution(conditions.device, judge=judge_for(task))
    )
    yield from map(Step, grown)


# --------------------------------------------------------------------------- pairs


@dataclass(frozen=True)
class Flips:
    """Two models on the same samples.

    Args:
        drop: value of the first minus that of the second.
        p_value: of no difference, adjusted by Holm for all pairs that are compared together.
        both_right, only_first, only_second, both_wrong: samples; None if answers are not right or wrong.
        same_answer: samples for which they predict the same class, right or wrong; None as well.
    """

    first: str
    second: str
    samples: int
    drop: Drop
    p_value: float
    both_right: int | None = None
    only_first: int | None = None
    only_second: int | None = None
    both_wrong: int | None = None
    same_answer: int | None = None


def flips(poll: Poll) -> tuple[Flips, ...]:
    """Compare every pair of models."""
    pairs = list(combinations(poll.tallies.items(), 2))
    found = [_flips(*pair) for pair in pairs]
    adjusted = holm([pair.p_value for pair in found])
    return tuple(replace(pair, p_value=p) for pair, p in zip(found, adjusted, strict=True))


def _flips(first: tuple[str, Tally], second: tuple[str, Tally]) -> Flips:
    """Compare two models; the p-value is that of this pair alone."""
    (name, a), (other, b) = first, second
    drop = drop_between(a, b)

    def count(where: Tensor) -> int:
        return int(where.sum())

    if not a.is_accuracy:
        return Flips(name, other, len(a), drop, p_value_of(drop))
    lost, won = count(a.correct & ~b.correct), count(~a.correct & b.correct)
    return Flips(
        name,
        other,
        len(a),
        drop,
        paired_p_value(lost, won),
        count(a.correct & b.correct),
        lost,
        won,
        count(~a.correct & ~b.correct),
        count(a.predictions == b.predictions),
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
    """Return every model's accuracy on every class that has samples; none if answers are not classes."""
    rows: list[ClassAccuracy] = []
    if poll.targets is None:
        return ()
    for number, label in enumerate(poll.classes):
        there = poll.targets == number
        samples = int(there.sum())
        for name, tally in poll.tallies.items() if samples else ():
            correct = int(tally.correct[there].sum())
            low, high = wilson(correct, samples)
            rows.append(ClassAccuracy(name, label, correct, samples, correct / samples, low, high))
    return tuple(rows)
