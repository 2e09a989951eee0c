"""What a worker does for each kind of work: the measurements of the studies, unchanged, from JSON to JSON."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from itertools import pairwise
from typing import Any

import torch

from ..engine.conditions import Conditions, fitting_batch
from ..engine.dense_model import baseline, dense_candidate, judged_split
from ..engine.measure import stream
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..machine.cache import Cache
from ..measuring.evaluation import Execution, evaluate
from ..measuring.judging import judge_for
from ..measuring.latency import TimingPlan
from ..measuring.tally import EMPTY, Tally, joined
from ..pruning.checks import check_recipe
from ..pruning.decision import calibrate, scores_for
from ..recovery.recover import recover
from ..recovery.training_plan import RecoveryPlan
from ..studies.latency_staircase import staircase
from ..studies.sensitivity.batch_counter import BatchCounter
from ..studies.sensitivity.scan_log import Gain
from ..studies.sensitivity.scan_run import DENSE, dense_count
from ..studies.sensitivity.values import ScanPlan
from ..values.granularity import read_graded
from ..values.progress import PAUSE, Step, Work
from ..values.recipe import Recipe
from ..values.samples import Split
from .packing import packed_gain, packed_tensors

Asked = Mapping[str, Any]
ALL = tuple(field.name for field in fields(Conditions))
OF_SCANS = ("samples", "split", "device")
_counters = Cache(2, "prepared scans of a worker")


# --------------------------------------------------------------------------- values as JSON


def plan_json(plan: ScanPlan) -> dict[str, Any]:
    """Return what a worker needs to know of a scan's plan; its tolerance is the caller's."""
    return {
        "granularity": plan.granularity,
        "ratios": list(plan.ratios),
        "recipe": plan.recipe.to_json(),
    }


def asked_json(conditions: Conditions, names: Iterable[str] = ALL) -> dict[str, Any]:
    """Return the conditions that a result depends on.

    Args:
        names: of the fields that matter.
    """
    return {name: getattr(conditions, name) for name in names}


def _plan(asked: Asked) -> ScanPlan:
    plan = asked["plan"]
    recipe = Recipe.from_json(plan["recipe"])
    return ScanPlan(read_graded(plan["granularity"]), tuple(plan["ratios"]), None, recipe)


def _conditions(asked: Asked) -> Conditions:
    return Conditions(**asked["conditions"])


# --------------------------------------------------------------------------- recipes


def _recipe(model: Analysed, asked: Asked) -> Recipe:
    """Return the recipe of a work item, which comes from another process."""
    recipe = Recipe.from_json(asked["recipe"])
    check_recipe(model.profile, recipe)
    return recipe


def _report(model: Analysed, asked: Asked) -> Work[Any]:
    for step in stream(model, _recipe(model, asked), _conditions(asked)):
        yield Step(step.value.to_json() if step.value else None, step.progress)


def _scores(model: Analysed, asked: Asked) -> Work[Any]:
    """How one criterion rates all channels, or why it cannot."""
    device = _conditions(asked).device
    try:
        recipe = _recipe(model, asked)
        yield from calibrate(model, recipe, device)
        yield Step({"scores": packed_tensors(scores_for(model, recipe, device).channels)})
    except ExplorerError as error:
        yield Step({"left_out": str(error)})


def _recovery(model: Analysed, asked: Asked) -> Work[Any]:
    plan = RecoveryPlan.from_json(asked["plan"])
    for step in recover(model, _recipe(model, asked), plan, _conditions(asked)):
        is_last = step.value is not None and step.value.finished
        yield Step(step.value.to_json() if step.value is not None and is_last else None, step.progress)


def _staircase(model: Analysed, asked: Asked) -> Work[Any]:
    steps = staircase(
        model,
        asked["group"],
        widths=asked["widths"],
        plan=TimingPlan(**asked["timing"]),
        device=_conditions(asked).device,
    )
    for step in steps:
        yield Step(step.value.to_json() if step.value else None, step.progress)


# --------------------------------------------------------------------------- scans


def _counter(model: Analysed, asked: Asked) -> BatchCounter:
    """Return what runs the batches of this scan, the same one for all of its batches."""
    plan, conditions = _plan(asked), _conditions(asked)
    key = (model.subject.id, model.subject.task and model.subject.task.fingerprint, plan, conditions)
    found: BatchCounter | None = _counters.get(key)
    return found or _counters.put(key, BatchCounter(model, plan, conditions, judged_split(model, conditions)))


def _scan_shape(model: Analysed, asked: Asked) -> Work[Any]:
    """How many samples a batch has, which depends on the model and the device."""
    yield Step({"batch": _counter(model, asked).batch})


def _scan_dense(model: Analysed, asked: Asked) -> Work[Any]:
    """The dense model's results at each look."""
    counts, base = [], EMPTY
    for look in asked["looks"]:
        for grown in baseline(model, _conditions(asked), look):
            base = grown
            yield PAUSE
        counts.append(dense_count(base, asked["rows"]).to_json())
    yield Step({"counts": counts})


def _scan_batch(model: Analysed, asked: Asked) -> Work[Any]:
    conditions = _conditions(asked)
    counter, split = _counter(model, asked), judged_split(model, conditions)
    yield from calibrate(model, _plan(asked).recipe, conditions.device)
    start, stop = asked["start"], asked["stop"]
    base = dense_part(model, conditions, split, (start, stop), asked["looks"])
    gains: list[Gain] = []
    for found in _counted(counter, (start, stop), asked["ratios"], base):
        gains += found
        yield PAUSE
    dense = Gain.of((DENSE, 0.0, 0.0), base, base)
    yield Step({"gains": [packed_gain(gain) for gain in gains], "dense": packed_gain(dense)})


def _counted(
    counter: BatchCounter, span: tuple[int, int], ratios: Mapping[str, list[float]], base: Tally
) -> Iterator[list[Gain]]:
    """Yield the gains of a batch, in halves where the device's memory does not hold all of it."""
    start, stop = span
    kept: list[Gain] = []
    try:
        for found in counter.gains(start, stop, ratios, base):
            kept += found
            yield []
        yield kept
        return
    except torch.OutOfMemoryError:
        if stop - start == 1:
            raise
    torch.cuda.empty_cache()
    middle = (start + stop) // 2
    yield from _counted(counter, (start, middle), ratios, base.part(0, middle - start))
    yield from _counted(counter, (middle, stop), ratios, base.part(middle - start, stop - start))


def dense_part(
    model: Analysed, conditions: Conditions, split: Split, span: tuple[int, int], looks: list[int]
) -> Tally:
    """Return the dense model's results on some samples, run in the same batches as `baseline` runs them when
    it grows from look to look, so that losses have the same bits.
    """
    task = model.subject.task
    assert task is not None
    batch, (start, stop) = fitting_batch(model.subject, conditions.device), span
    how = Execution(conditions.device, batch, judge=judge_for(task))
    first = max((look for look in looks if look <= start), default=0)
    first += (start - first) // batch * batch
    last = next(look for look in looks if look >= stop)
    bounds = [first, *(look for look in looks if first < look < last), last]
    tallies: list[Tally] = []
    for low, high in pairwise(bounds):
        end = min(high, low + -(-(min(stop, high) - low) // batch) * batch)
        units = None if split.units is None else split.units[low:end]
        part = Split(split.inputs_at(low, end), split.targets_at(low, end), units)
        dense = dense_candidate(model, conditions.device).model
        *_, found = evaluate(dense, part, task.normalisation, [end - low], how)
        tallies.append(found)
    return joined(tallies).part(start - first, stop - first)


KINDS: dict[str, Callable[[Analysed, Asked], Work[Any]]] = {
    "report": _report,
    "scores": _scores,
    "recovery": _recovery,
    "staircase": _staircase,
    "scan shape": _scan_shape,
    "scan dense": _scan_dense,
    "scan batch": _scan_batch,
}
