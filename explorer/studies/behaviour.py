"""Which classes does a cut hurt? Predictions before and after -> counts per class, confusions, flips and
reliability, as one value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

from ..engine.candidate import prepare
from ..engine.conditions import Conditions, class_task, split_for
from ..graph.analysed import Analysed
from ..measuring.statistics import holm, look_schedule, paired_drop, paired_p_value, wilson
from ..pruning.decision import calibrate
from ..values.progress import Step, Work, reached
from ..values.recipe import Recipe
from ..values.report import Drop
from .model_answers import NONE, Answers, answer, dense_answers
from .reliability import Reliability, reliability

KEPT_FLIPS = 60  # of each kind: a gallery shows no more
LEVEL = 0.05  # for the family of all classes

FlipKind = Literal["lost", "gained", "moved"]
FLIP_KINDS: tuple[FlipKind, ...] = ("lost", "gained", "moved")


# --------------------------------------------------------------------------- values


@dataclass(frozen=True)
class Side:
    """One of the two models.

    Args:
        confusion: (true class, predicted class, samples), none of them zero, in that order.
        reliability: of its confidences.
    """

    confusion: tuple[tuple[int, int, int], ...]
    reliability: Reliability

    @property
    def correct(self) -> int:
        return sum(count for true, predicted, count in self.confusion if true == predicted)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Side":
        confusion = tuple((true, predicted, count) for true, predicted, count in data["confusion"])
        return cls(confusion, Reliability.from_json(data["reliability"]))


@dataclass(frozen=True)
class Flip:
    """A sample whose predicted class changes with the cut.

    Args:
        sample: its position in the split.
        target: its class. before, after: what the two models predict.
        confidence_before, confidence_after: the probability of that prediction.
        truth_before, truth_after: the probability of the true class.
    """

    sample: int
    target: int
    before: int
    after: int
    confidence_before: float
    confidence_after: float
    truth_before: float
    truth_after: float

    @property
    def change(self) -> float:
        """Return how much probability the true class gained, from -1 to 1."""
        return self.truth_after - self.truth_before

    @property
    def kind(self) -> FlipKind:
        """Return "lost" (was right), "gained" (is right), or "moved" from one wrong class to another."""
        return "lost" if self.before == self.target else "gained" if self.after == self.target else "moved"


@dataclass(frozen=True)
class ClassChange:
    """How one class changed.

    Args:
        number: of the class. samples: of that class.
        before, after: how many were right.
        drop: with the interval of this class alone.
        p_value: of the paired test, adjusted for the family of all classes (Holm).
    """

    number: int
    samples: int
    before: int
    after: int
    drop: Drop
    p_value: float

    @property
    def differs(self) -> bool:
        """Whether the change is beyond noise, even among so many classes."""
        return self.p_value <= LEVEL


@dataclass(frozen=True)
class Behaviour:
    """The pruned model next to the dense one on the same first samples of a split.

    Args:
        class_names: foreign text. samples: seen so far. total: requested.
        before, after: the dense and the pruned model.
        lost, gained: class -> samples right before and wrong after, and the reverse; (classes,).
        same: samples with the same prediction, right or wrong.
        flips: those whose true class gained or lost most probability, at most KEPT_FLIPS of each kind.
        flip_counts: kind -> how many there are in all.
    """

    class_names: tuple[str, ...]
    samples: int
    total: int
    before: Side
    after: Side
    lost: tuple[int, ...]
    gained: tuple[int, ...]
    same: int
    flips: tuple[Flip, ...]
    flip_counts: Mapping[str, int]

    @property
    def finished(self) -> bool:
        return self.samples == self.total

    @property
    def agreement(self) -> tuple[float, float, float]:
        """Return how often both models predict the same class, with its 95 % Wilson interval."""
        return (self.same / self.samples, *wilson(self.same, self.samples))

    @property
    def drop(self) -> Drop:
        """Return the drop of the accuracy over all classes."""
        return paired_drop(sum(self.lost), sum(self.gained), self.samples)

    @cached_property
    def classes(self) -> tuple[ClassChange, ...]:
        """Return the classes that have samples, each compared with itself; p-values are adjusted for all of
        them.
        """
        rows: dict[int, list[int]] = {}  # class -> samples, right before, right after
        for place, side in ((1, self.before), (2, self.after)):
            for true, predicted, count in side.confusion:
                row = rows.setdefault(true, [0, 0, 0])
                row[0] += count if place == 1 else 0
                row[place] += count if true == predicted else 0
        numbers = sorted(rows)
        adjusted = holm([paired_p_value(self.lost[c], self.gained[c]) for c in numbers])
        drops = [paired_drop(self.lost[c], self.gained[c], rows[c][0]) for c in numbers]
        return tuple(
            ClassChange(c, rows[c][0], rows[c][1], rows[c][2], drop, p)
            for c, drop, p in zip(numbers, drops, adjusted, strict=True)
        )

    def name(self, number: int) -> str:
        """Return the name of a class, or its number if it has none."""
        return self.class_names[number] if 0 <= number < len(self.class_names) else f"class {number}"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "flip_counts": dict(self.flip_counts)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Behaviour":
        sides = {name: Side.from_json(data[name]) for name in ("before", "after")}
        lists = {name: tuple(data[name]) for name in ("class_names", "lost", "gained")}
        return cls(**{**data, **sides, **lists, "flips": tuple(Flip(**flip) for flip in data["flips"])})


# --------------------------------------------------------------------------- counting


def behaviour(
    before: Answers, after: Answers, targets: Tensor, class_names: Sequence[str], total: int
) -> Behaviour:
    """Count two models' predictions on the same samples.

    Args:
        targets: (n,) int64. total: number of samples requested.
    Raises:
        ValueError: they did not see the same samples.
    """
    if not len(before) == len(after) == len(targets) or not len(targets):
        raise ValueError(
            f"Answers must be of the same samples, got {len(before)} and {len(after)} for {len(targets)} "
            "targets."
        )
    right, still = before.predictions == targets, after.predictions == targets
    classes = max(len(class_names), int(targets.max()) + 1)

    def count(chosen):
        return tuple(torch.bincount(targets[chosen], minlength=classes).tolist())

    flips = _flips(before, after, targets)
    kinds = [flip.kind for flip in flips]
    return Behaviour(
        tuple(class_names),
        len(targets),
        total,
        _side(before, targets),
        _side(after, targets),
        count(right & ~still),
        count(still & ~right),
        len(targets) - len(flips),
        _strongest(flips),
        {kind: kinds.count(kind) for kind in FLIP_KINDS},
    )


def _side(answers: Answers, targets: Tensor) -> Side:
    width = int(torch.maximum(targets, answers.predictions).max()) + 1
    pairs, counts = (targets * width + answers.predictions).unique(return_counts=True)
    confusion = tuple(
        (pair // width, pair % width, n) for pair, n in zip(pairs.tolist(), counts.tolist(), strict=True)
    )
    return Side(confusion, reliability(answers.confidences, answers.predictions == targets))


def _flips(before: Answers, after: Answers, targets: Tensor) -> list[Flip]:
    changed = (before.predictions != after.predictions).nonzero().flatten()
    columns = (
        changed,
        targets[changed],
        before.predictions[changed],
        after.predictions[changed],
        before.confidences[changed],
        after.confidences[changed],
        before.truths[changed],
        after.truths[changed],
    )
    return [Flip(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _strongest(flips: list[Flip]) -> tuple[Flip, ...]:
    ordered = sorted(flips, key=lambda flip: (-abs(flip.change), flip.sample))
    of_kind = {kind: [flip for flip in ordered if flip.kind == kind][:KEPT_FLIPS] for kind in FLIP_KINDS}
    return tuple(flip for kind in FLIP_KINDS for flip in of_kind[kind])


# --------------------------------------------------------------------------- measuring


def compare(model: Analysed, recipe: Recipe, conditions: Conditions) -> Work[Behaviour]:
    """Yield a Behaviour at each look of the schedule, and Progress after each batch in between; the last one
    is of all samples.

    Raises:
        ExplorerError: there is no data, or the recipe does not fit this model.
    """
    task = class_task(model.subject, "comparison of classes")
    if not recipe.is_empty:
        yield from calibrate(model, recipe, conditions.device)
    split = split_for(model.subject, conditions)
    network = prepare(model, recipe, conditions.device).model
    known: Answers = NONE
    for look in look_schedule(len(split)):
        base = NONE
        for base in dense_answers(model, split, look, conditions):
            if len(base) < look:
                yield reached(len(base), len(split), "The dense model")
        if recipe.is_empty:
            known = base
        for grown in answer(network, split, task, look, device=conditions.device, start=known):
            known = grown
            yield reached(len(known), len(split), "The pruned model")
        classes = task.class_names
        yield Step(behaviour(base, known, split.targets[:look], classes, len(split)))
