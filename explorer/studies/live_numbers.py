"""Which number right after a cut predicts what a retrained model will be worth?

Many recipes that leave equally many parameters, random and allocated ones, are cut and measured: right after
the cut, with norms recalibrated, repaired by least squares, and as gradients of the dense model predict it to
first order. Then each is retrained alike. A number is as good as the order of its recipes agrees with the
order after retraining (Spearman's rank correlation, with an interval over recipes). A second training with
another seed shows how well any number could do.
"""

import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from ..engine.conditions import Conditions
from ..engine.measure import stream
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..measuring.judging import judge_for
from ..measuring.predicted_loss import predicted_change
from ..pruning.decision import calibrate, masks_for
from ..recovery.recover import recover
from ..recovery.training_plan import RecoveryPlan, suggested
from ..recovery.values import Recovery
from ..values.progress import Progress, Returning, Step, Work, result_of
from ..values.recipe import Recipe
from ..values.report import Measurement
from ..values.subject import Subject
from .equal_parameters import NamedRecipe, mixed
from .kept_rows import KeptRows
from .live_correlations import RETRAINED, LiveNumbers, LivePlan, Tried


def live_numbers(
    model: Analysed, plan: LivePlan, conditions: Conditions, *, folder: Path | None = None
) -> Work[LiveNumbers]:
    """Yield Progress between batches, and a LiveNumbers after each recipe; recipes that were measured before
    are read from disk.

    Args:
        conditions: samples of the tuning split, and the device.
        folder: of all studies (default: in the user's cache).
    Raises:
        ExplorerError: there is no training data, or too few different recipes leave so many parameters.
    """
    task = model.subject.task
    if task is None or not task.has("training"):
        raise ExplorerError(
            f"{model.subject.name!r} has no training data, so nothing can be retrained; add some with --data."
        )
    conditions = replace(conditions, latency=False, split="tuning")
    small = Analysed(with_training(model.subject, plan.training), model.graph)
    settings = {name: value for name, value in asdict(plan).items() if name != "recipes"}
    key = {
        "subject": model.subject.id,
        "task": [task.name, task.fingerprint],
        "plan": settings,
        "samples": conditions.samples,
        "device": conditions.device,
    }
    rows = KeptRows("live-numbers", key, folder)
    dense = yield from _measured(small, Recipe(), conditions)
    judge = judge_for(task)
    better = judge.metrics[0].better if judge else "higher"
    name = dense.metric or "accuracy"
    study = LiveNumbers(model.subject.name, plan, name, better, (dense.value, dense.loss), dense.samples)
    for named in mixed(small, plan.granularity, plan.left, plan.allocators):
        tried = rows.get(named.name, Tried.from_json)
        if tried is None:
            now = Progress(len(study.tried), plan.recipes, f"Retraining {named.name}")
            tried = yield from _tried(small, named, plan, conditions, now)
            rows.add(named.name, tried.to_json())
        study = replace(study, tried=(*study.tried, tried))
        yield Step(study)
        if study.finished:
            return
    raise ExplorerError(
        f"Only {len(study.tried)} different recipes leave {100 * plan.left:.3g} % of the parameters; choose "
        "another share with --left, or fewer recipes."
    )


def with_training(subject: Subject, samples: int | None) -> Subject:
    """Return the subject with the first so many training samples; None = all."""
    task = subject.task
    training = task.split("training") if task else None
    if task is None or training is None or samples is None or samples >= len(training):
        return subject
    own = {"training": training.first(samples)}
    fewer = replace(
        task,
        load_split=lambda name: own.get(name) or task.split(name),  # type: ignore[arg-type]
        data=None,
        fingerprint=f"{task.fingerprint}, {samples} training samples",
    )
    return replace(subject, task=fewer)


def _measured(model: Analysed, recipe: Recipe, conditions: Conditions) -> Returning[Measurement]:
    report = yield from result_of(stream(model, recipe, conditions))
    return report.pruned


def _tried(
    model: Analysed, named: NamedRecipe, plan: LivePlan, conditions: Conditions, now: Progress
) -> Returning[Tried]:
    """Measure one recipe in every way."""
    yield Step(progress=now)
    yield from calibrate(model, named.recipe, conditions.device)
    how = suggested(model.subject, epochs=plan.epochs)
    first = yield from _retrained(model, named.recipe, replace(how, seeds=(0,)), conditions, now)
    numbers = {
        "one_shot": _pair(first.one_shot.measurement),
        "recalibrated": _pair(first.recalibrated.measurement if first.recalibrated else None),
        RETRAINED: _pair(first.recovered[0].measurement),
    }
    if plan.again:
        second = yield from _retrained(model, named.recipe, replace(how, seeds=(1,)), conditions, now)
        numbers["retrained_again"] = _pair(second.recovered[0].measurement)
    repaired = yield from _measured(model, replace(named.recipe, after="least_squares"), conditions)
    numbers["repaired"] = _pair(repaired)
    growth: float | None = None
    masks = masks_for(model, named.recipe)
    for step in predicted_change(model, masks, conditions.device):
        growth = growth if step.value is None else step.value
        yield Step(progress=now)
    numbers["first_order"] = (None, growth)
    return Tried(named.name, named.recipe, named.left, numbers)


def _retrained(
    model: Analysed, recipe: Recipe, how: RecoveryPlan, conditions: Conditions, now: Progress
) -> Returning[Recovery]:
    """Return a recovery, of which nothing is kept: the study keeps its numbers."""
    with tempfile.TemporaryDirectory() as place:
        return (yield from result_of(recover(model, recipe, how, conditions, root=Path(place)), now))


def _pair(measured: Measurement | None) -> tuple[float | None, float | None]:
    return (measured.value, measured.loss) if measured else (None, None)
