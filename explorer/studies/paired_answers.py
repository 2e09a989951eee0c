"""What models answer on the same samples, as a comparison of recipes needs it."""

from dataclasses import replace

from ..engine.candidate import prepared
from ..engine.conditions import Conditions, fitting_batch
from ..engine.dense_model import baseline, judged_split
from ..graph.analysed import Analysed
from ..measuring.evaluation import Execution, evaluate
from ..measuring.judging import judge_for
from ..measuring.tally import EMPTY, Tally, drop_between
from ..values.progress import Progress, Returning, Step
from ..values.recipe import Recipe
from ..values.report import Drop


def dense_answers(model: Analysed, conditions: Conditions) -> Returning[Tally]:
    """Return what the dense model answers on the whole split of these conditions."""
    split, tally = judged_split(model, conditions), EMPTY
    for grown in baseline(model, conditions, len(split)):
        tally = grown
        yield Step()
    return tally


def answers(model: Analysed, recipe: Recipe, conditions: Conditions, now: Progress) -> Returning[Tally]:
    """Return what a recipe's model answers on the same samples.

    Args:
        now: is shown after each batch.
    """
    task, device = model.subject.task, conditions.device
    assert task is not None
    network = None
    for step in prepared(model, recipe, device):
        network = step.value.model if step.value else network
        yield Step(progress=now)
    assert network is not None
    split, tally = judged_split(model, conditions), EMPTY
    how = Execution(device, fitting_batch(model.subject, device), judge=judge_for(task))
    for grown in evaluate(network, split, task.normalisation, [len(split)], how):
        tally = grown
        yield Step(progress=now)
    return tally


def gained(first: Tally, other: Tally, level: float) -> Drop:
    """Return the value of the other model minus that of the first, on the same samples."""
    less = drop_between(first, other, level)
    return replace(less, estimate=-less.estimate, low=-less.high, high=-less.low)
