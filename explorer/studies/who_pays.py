"""Which parts of a task does a cut hurt? A metric in each group, before and after, with its interval."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ..engine.agreement import with_agreement
from ..engine.candidate import prepare
from ..engine.conditions import Conditions, fitting_batch, split_for
from ..engine.dense_model import dense_candidate, judged_split
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..measuring.bootstrap import of_sums, paired, value_of
from ..measuring.evaluation import Execution, evaluate
from ..measuring.judging import Judge, metrics_of
from ..measuring.statistics import look_schedule
from ..measuring.tally import EMPTY, Tally, drop_between
from ..pruning.decision import calibrate
from ..values.metric import Metric, Scale
from ..values.progress import Step, Work, reached
from ..values.recipe import Recipe
from ..values.report import Drop, Measurement
from ..values.samples import Split
from ..values.subject import Task
from .neighbours import hits_of, neighbours
from .partings import Parting, partings_of
from .shown_answers import ShownAnswer, shown_answers
from .target_groups import TargetGroups, target_groups

LEVEL, FAMILY = 0.95, 0.05
LEAST = 2  # samples of a group, below which there is no interval
NEIGHBOURS = "recall_at_1"  # the metric whose rows are embeddings
KEPT_CHANGES = 12  # samples whose value changes most, in each direction


@dataclass(frozen=True)
class GroupChange:
    """How one group changed.

    Args:
        name: foreign text. samples: that hold something of the group. amount: of it in all of them, such as
            pixels, boxes or tokens.
        before, after: the metric in this group.
        drop: with the interval of this group alone.
        differs: whether the change is beyond noise even among so many groups (Bonferroni).
    """

    name: str
    samples: int
    amount: float
    before: float
    after: float
    drop: Drop
    differs: bool

    @property
    def hurt(self) -> bool:
        """Whether it is worse beyond noise."""
        return self.differs and self.drop.loss > 0


@dataclass(frozen=True)
class GroupedChange:
    """All groups of one kind.

    Args:
        title: what the groups are. metric: what is measured in each, for people.
        groups: in their order; those with too few samples are left out.
        left_out: how many these are.
    """

    title: str
    metric: str
    scale: Scale
    groups: tuple[GroupChange, ...]
    left_out: int = 0


@dataclass(frozen=True)
class SampleChange:
    """A sample with the task's own metric before and after."""

    sample: int
    before: float
    after: float


@dataclass(frozen=True)
class WhoPays:
    """The pruned model next to the dense one on the same first samples of a split.

    Args:
        samples: seen so far. total: requested.
        before, after, drop: by the task's metric.
        kinds: groups, in each way in which the task can be divided.
        worse, better: samples that changed most; empty for a metric that has no value of one sample.
        changed: how many samples became worse, and better.
        answers: number of a sample among these -> what both models say, once all samples are seen.
    """

    samples: int
    total: int
    before: Measurement
    after: Measurement
    drop: Drop
    kinds: tuple[GroupedChange, ...]
    worse: tuple[SampleChange, ...] = ()
    better: tuple[SampleChange, ...] = ()
    changed: tuple[int, int] = (0, 0)
    answers: Mapping[int, ShownAnswer] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        return self.samples == self.total


def grouped(parting: Parting, base: Tensor, pruned: Tensor) -> GroupedChange:
    """Compare two models group by group.

    Args:
        base, pruned: (samples, groups, k) rows of the same samples.
    """
    holding = (base[..., -1] > 0).sum(0)
    shown = [number for number, samples in enumerate(holding.tolist()) if samples >= LEAST]
    strict = 1 - FAMILY / max(1, len(shown))
    groups = tuple(_group(parting, k, base[:, k], pruned[:, k], strict) for k in shown)
    metric = parting.metric
    scale = Scale(metric.name, metric.unit, metric.better)
    return GroupedChange(parting.title, metric.title, scale, groups, base.shape[1] - len(shown))


def _group(parting: Parting, number: int, base: Tensor, pruned: Tensor, strict: float) -> GroupChange:
    there = base[:, -1]
    counts = base.any(1) | pruned.any(1)  # samples without anything of the group say nothing about it
    base, pruned, metric = base[counts], pruned[counts], parting.metric
    drop, wide = (paired(metric, base, pruned, level) for level in (LEVEL, strict))
    return GroupChange(
        parting.name(number),
        int((there > 0).sum()),
        float(there.sum()),
        value_of(metric, base),
        value_of(metric, pruned),
        drop,
        wide.low > 0 or wide.high < 0,
    )


def who_pays(model: Analysed, recipe: Recipe, conditions: Conditions) -> Work[WhoPays]:
    """Yield a WhoPays at each look of the schedule, and Progress after each batch in between; the last one is
    of all samples.

    Raises:
        ExplorerError: its answers are classes, or the recipe does not fit this model.
    """
    model = with_agreement(model)
    task = _task(model)
    if not recipe.is_empty:
        yield from calibrate(model, recipe, conditions.device)
    metric = metrics_of(task)[0]
    of = judged_split if metric.needs == "dense" else _stored
    split = of(model, conditions)
    partings = partings_of(task, split)
    flat = (replace(_flat(parting), of_scores=metric.of_scores) for parting in partings)
    judge = Judge((metric, *flat), None, task.answer, task.scores, task.scored)
    how = Execution(conditions.device, fitting_batch(model.subject, conditions.device), judge=judge)
    dense = dense_candidate(model, conditions.device).model
    network = prepare(model, recipe, conditions.device).model
    groups = _own_groups(task, metric, split) if not partings else None
    base = known = EMPTY
    for look in look_schedule(len(split)):
        for grown in evaluate(dense, split, task.normalisation, [look], how, start=base):
            base = grown
            if len(base) < look:
                yield reached(len(base), len(split), "The dense model")
        if recipe.is_empty:
            known = base
        elif len(known) < look:
            for grown in evaluate(network, split, task.normalisation, [look], how, start=known):
                known = grown
                yield reached(len(known), len(split), "The pruned model")
        compared = _compared(partings, metric, (base, known), len(split))
        if groups is not None:
            compared = replace(compared, kinds=(_by_target(groups, metric, (base, known)),))
        if compared.finished:
            numbers = [change.sample for change in (*compared.worse, *compared.better)]
            if task.show is None and metric.name == NEIGHBOURS:
                answers = neighbours(_rows(base, metric), _rows(known, metric), numbers)
            else:
                answers = shown_answers((dense, network), split, task, numbers, conditions.device)
            compared = replace(compared, answers=answers)
        yield Step(compared)


def _task(model: Analysed) -> Task:
    task = model.subject.task
    assert task is not None
    if task.tells_classes:
        raise ExplorerError(
            f"{model.subject.name!r} gives one class per sample, so its classes and confusions are compared "
            "instead of groups."
        )
    return task


def _stored(model: Analysed, conditions: Conditions) -> Split:
    return split_for(model.subject, conditions)


def _own_groups(task: Task, metric: Metric, split: Split) -> TargetGroups | None:
    """Return groups of the targets, for a metric that nothing else divides."""
    if metric.of_rows or metric.needs == "dense" or split.units is not None:
        return None
    return target_groups(split.targets, task.class_names)


def _by_target(groups: TargetGroups, metric: Metric, tallies: tuple[Tally, Tally]) -> GroupedChange:
    base, pruned = (groups.divided(_rows(tally, metric)) for tally in tallies)
    return grouped(groups.parting(metric), base, pruned)


def _rows(tally: Tally, metric: Metric) -> Tensor:
    """Return the rows of the deciding metric; right and wrong answers are kept in another form."""
    if metric.name in tally.rows:
        return tally.rows[metric.name]
    return torch.stack([tally.correct.double(), torch.ones(len(tally.correct), dtype=torch.float64)], 1)


def _flat(parting: Parting) -> Metric:
    """Return a metric whose statistics are those of all groups side by side."""
    return replace(
        parting.metric, name=parting.title, statistics=lambda *pair: parting.rows(*pair).flatten(1)
    )


def _compared(
    partings: tuple[Parting, ...], metric: Metric, tallies: tuple[Tally, Tally], total: int
) -> WhoPays:
    kinds = []
    for parting in partings:
        rows = [tally.pooled(parting.title) for tally in tallies]
        kinds.append(grouped(parting, *(part.view(len(part), -1, parting.width) for part in rows)))
    before, after = (replace(tally, metrics=tally.metrics[:1]) for tally in tallies)
    worse, better, counts = _changes(metric, *(_rows(tally, metric) for tally in tallies))
    return WhoPays(
        len(before),
        total,
        before.measurement(),
        after.measurement(),
        drop_between(before, after),
        tuple(kinds),
        worse,
        better,
        counts,
    )


def _changes(
    metric: Metric, base: Tensor, pruned: Tensor
) -> tuple[tuple[SampleChange, ...], tuple[SampleChange, ...], tuple[int, int]]:
    """Return the samples that became worse most, those that became better most, and how many did."""
    if metric.name == NEIGHBOURS:
        before, after = hits_of(base), hits_of(pruned)
    elif metric.of_rows:
        return (), (), (0, 0)
    else:
        before, after = of_sums(metric, base), of_sums(metric, pruned)
    gain = (after - before).nan_to_num() * (1 if metric.better == "higher" else -1)
    order = gain.argsort(stable=True).tolist()

    def listed(numbers: list[int]) -> tuple[SampleChange, ...]:
        return tuple(SampleChange(n, float(before[n]), float(after[n])) for n in numbers[:KEPT_CHANGES])

    worse, better = int((gain < 0).sum()), int((gain > 0).sum())
    return listed(order[:worse]), listed(order[::-1][:better]), (worse, better)
