"""recipe + subject -> report, measured in a stream. Never modifies the model it is given.

`deciding` decides what a recipe removes, `building` builds the model that is measured; both are offered here,
too.
"""

from dataclasses import replace
from typing import Any

import torch

from ..graph.analysed import Analysed
from ..loaders.random_inputs import NOTE
from ..machine.cache import Cache
from ..machine.environment import environment
from ..measuring.class_order import wrong_order
from ..measuring.cuda_graphs import captured
from ..measuring.evaluation import Execution, Forward, evaluate
from ..measuring.judging import judge_for, names_of
from ..measuring.kept_activations import Trail, resumed
from ..measuring.latency import Timing, faster, rounds
from ..measuring.missing_losses import missing_losses
from ..measuring.number_words import format_drop
from ..measuring.outside_boxes import METRICS_OF_BOXES, outside_boxes
from ..measuring.precision import check_exact, computed_in, in_dtype
from ..measuring.predicted_loss import predicted_change
from ..measuring.statistics import look_schedule, looks_level
from ..measuring.storage_size import deflated_size, state_of
from ..measuring.tally import EMPTY, Tally, drop_between
from ..values.progress import PAUSE, Step, Work, outcome, result_of
from ..values.recipe import Recipe
from ..values.report import Measurement, Report
from ..values.samples import Split
from ..values.subject import Subject
from .agreement import with_agreement
from .candidate import Candidate, prepared
from .conditions import Conditions, first_look, fitting_batch, split_for
from .dense_model import dense_candidate, dense_tallies, judged_split
from .repaired import is_repairable, with_repaired

_latencies, _deflated = Cache(64, "latencies"), Cache(4, "sizes of dense models")


def stream(
    model: Analysed,
    recipe: Recipe,
    conditions: Conditions = Conditions(),
    *,
    trail: Trail | None = None,
) -> Work[Report]:
    """Measure a recipe: a Report after each chunk of samples ("live"), then "final" ones: with sizes, the
    repaired model's quality if `conditions` ask for it, latency, predicted loss. Between two of them come
    steps without a value.

    Baseline and pruned are always counted on the same first samples.

    Args:
        trail: activations of the recipe measured before, of these conditions; used and carried on (see
            `resuming`).
    Raises:
        ExplorerError: the recipe does not fit this model, or the split does not exist.
    """
    candidate = yield from result_of(prepared(model, recipe, conditions.device))
    quality = replace(conditions, latency=False)
    report: Report | None = None
    for step in measure(model, recipe, candidate, quality, trail=trail):
        report = step.value or report
        yield step
    assert report is not None
    if conditions.repaired and report.pruned.samples and is_repairable(model, recipe):
        for step in with_repaired(model, report, quality):
            report = step.value or report
            yield step
    if not conditions.latency:
        return
    dense = dense_candidate(model, conditions.device)
    for step in _timed(model.subject, recipe, conditions, dense, candidate, report):
        report = step.value or report
        yield step
    if report.pruned.loss is not None and not recipe.is_empty:
        for change in predicted_change(model, candidate.cut.masks, conditions.device):
            known = change.value is not None
            yield Step(replace(report, predicted_loss_change=change.value)) if known else PAUSE


def measure(
    model: Analysed,
    recipe: Recipe,
    pruned: Candidate,
    conditions: Conditions = Conditions(),
    *,
    trail: Trail | None = None,
) -> Work[Report]:
    """Yield the same as `stream` for a model that exists already, such as one that was trained after the cut.

    Raises:
        ExplorerError: the split does not exist.
    """
    check_exact(model.subject, conditions.dtype)
    dense = dense_candidate(model, conditions.device)
    report = _report(model, recipe, conditions, dense, pruned)
    if model.subject.task is None or model.subject.task.note == NOTE:
        report = replace(report, notes=(*report.notes, NOTE))
    usual = trail is not None and not recipe.is_empty and conditions.dtype == "float32"
    forward = resumed(trail, pruned.model, dense.model, model.graph) if trail and usual else None
    for step in _qualities(with_agreement(model), conditions, dense, pruned, report, forward):
        report = step.value or report
        yield step
    report = replace(
        report,
        stage="final",
        baseline=_weighed(report.baseline, dense, model.subject.id),
        pruned=_weighed(report.pruned, pruned, model.subject.id),
    )
    yield Step(report)
    if conditions.latency:
        yield from _timed(model.subject, recipe, conditions, dense, pruned, report)


def prune(model: Analysed, recipe: Recipe, conditions: Conditions = Conditions()) -> Report:
    """Return the last Report of `stream`."""
    return outcome(stream(model, recipe, conditions))


def _report(
    model: Analysed,
    recipe: Recipe,
    conditions: Conditions,
    dense: Candidate,
    pruned: Candidate,
) -> Report:
    task = model.subject.task
    about: dict[str, Any] = {
        "id": model.subject.id,
        "name": model.subject.name,
        "task": task.name if task else None,
        "task_fingerprint": task.fingerprint if task else None,
    }
    if task and task.how:
        about["how"] = list(task.how)
    dtype = computed_in(model.subject.model, conditions.dtype)
    where = environment(conditions.device) | {"dtype": dtype}
    return Report(
        about,
        recipe,
        dense.static,
        pruned.static,
        None,
        pruned.layers,
        pruned.cut.outcomes,
        where,
        conditions.split,
        "live",
        0,
        pruned.notes,
    )


def _qualities(
    of: Analysed,
    conditions: Conditions,
    dense: Candidate,
    pruned: Candidate,
    report: Report,
    forward: Forward | None,
) -> Work[Report]:
    """Yield a new report at each look, and a pause after each batch between two looks."""
    subject, is_empty = of.subject, report.recipe.is_empty
    task = subject.task
    assert task is not None
    norm, judge = task.normalisation, judge_for(task)
    split = judged_split(of, conditions)
    usual = first_look(subject, conditions.device)
    looks = look_schedule(len(split), conditions.first_look or usual)
    # the dense model is the same for everybody, so it runs in the same batches whatever the first look
    least = min(usual, len(split))
    notes: list[str] = []
    said, tally = report.notes, EMPTY
    dense_model, model = (in_dtype(candidate.model, conditions.dtype) for candidate in (dense, pruned))
    batch = fitting_batch(subject, conditions.device)
    forward = forward or captured(model, conditions.device, batch, len(split))
    how = Execution(conditions.device, batch, notes.append, forward, judge)
    report = replace(report, total_samples=len(split))
    for look in looks:
        base = EMPTY
        for base in dense_tallies(dense_model, subject, split, conditions, max(look, least), notes.append):
            if len(base) < max(look, least):
                yield PAUSE
        base, known = base.first(look), tally
        for tally in [base] if is_empty else evaluate(model, split, norm, [look], how, start=known):
            if len(tally) < look:
                yield PAUSE
        level = conditions.level if look == looks[-1] else looks_level(len(looks))
        # the user's own data, whose classes may be in any order
        if task.how and look == looks[-1] and task.tells_classes:
            odd = wrong_order(base.predictions, split.targets[: len(base)], len(task.class_names))
            notes += [odd] if odd else []
        if look == looks[-1] and (metric := names_of(task)[0]) in METRICS_OF_BOXES:
            odd = outside_boxes(metric, split_for(subject, conditions))
            notes += [odd] if odd else []
        lost = missing_losses(base, tally)
        report = replace(
            report,
            baseline=_merged(report.baseline, base.measurement()),
            pruned=_merged(report.pruned, tally.measurement()),
            drop=drop_between(base, tally, level),
            notes=(*said, *dict.fromkeys([*notes, *([lost] if lost else [])])),
        )
        yield Step(report)
    if conditions.dtype != "float32":
        exact, candidate = replace(conditions, dtype="float32"), dense if is_empty else pruned
        yield from _rounded(subject, split, exact, candidate, tally, report)


def _rounded(
    subject: Subject, split: Split, exact: Conditions, candidate: Candidate, tally: Tally, report: Report
) -> Work[Report]:
    """Measure the effect of the smaller number format alone: the same model in float32, on the same
    samples.
    """
    assert subject.task is not None
    dense, batch = EMPTY, fitting_batch(subject, exact.device)
    how = Execution(exact.device, batch=batch, judge=judge_for(subject.task))
    for dense in evaluate(candidate.model, split, subject.task.normalisation, [len(tally)], how):
        if len(dense) < len(tally):
            yield PAUSE
    effect = drop_between(dense, tally, exact.level)
    dtype = report.environment["dtype"]
    told = (
        f"{dtype} against float32, the same pruned model on the same {len(tally):,} samples: "
        f"{format_drop(effect)}."
    )
    yield Step(replace(report, dtype_effect=effect, notes=(*report.notes, told)))


def _merged(static: Measurement, counted: Measurement) -> Measurement:
    return replace(
        counted,
        params=static.params,
        nonzero_params=static.nonzero_params,
        macs=static.macs,
        size_bytes=static.size_bytes,
        latency_ms=static.latency_ms,
    )


def _weighed(measurement: Measurement, candidate: Candidate, subject: str) -> Measurement:
    """Add the deflated size, which is cached for the dense model of each subject."""
    is_dense = not candidate.cut.outcomes
    found, known = _deflated.get(subject) if is_dense else None, candidate.static.size_bytes or {}
    found = found or {**known, "deflate": deflated_size(state_of(candidate.model))}
    if is_dense:
        _deflated.put(subject, found)
    return replace(measurement, size_bytes=found)


def _timed(
    subject: Subject,
    recipe: Recipe,
    conditions: Conditions,
    dense: Candidate,
    pruned: Candidate,
    report: Report,
) -> Work[Report]:
    """Yield latency, cached by the tuple of widths; if no width changed it is that of the dense model, and a
    note says so.
    """
    widths = tuple(layer.pruned_shape for layer in report.layers)
    is_smaller = any(layer.pruned_shape != layer.shape for layer in report.layers)
    key = (subject.id, conditions.device, conditions.dtype, widths, torch.get_num_threads())
    timing: Timing | None = _latencies.get(key)
    if timing is None:
        models = {"dense": dense.model, "pruned": pruned.model} if is_smaller else {"dense": dense.model}
        times: dict[str, list[float]] = {name: [] for name in models}
        models = {name: in_dtype(model, conditions.dtype) for name, model in models.items()}
        for turn in rounds(models, subject.example[:1], device=conditions.device):
            for name, milliseconds in (turn.value or {}).items():
                times[name].append(milliseconds)
            yield PAUSE
        timing = Timing({name: tuple(ms) for name, ms in times.items()}, 1, report.environment)
        _latencies.put(key, timing)
    notes = report.notes
    if recipe.weights and not is_smaller:
        notes = (*notes, "Latency is the dense model's: zeros alone do not make dense kernels faster.")
    latencies = timing.latency_ms
    speed_up = (
        faster(timing.times_ms["dense"], timing.times_ms["pruned"]).to_json()
        if "pruned" in latencies
        else None
    )
    base, own = (
        replace(m, latency_ms=latencies.get(name, latencies["dense"]))
        for name, m in (("dense", report.baseline), ("pruned", report.pruned))
    )
    yield Step(replace(report, baseline=base, pruned=own, notes=notes, speed_up=speed_up))
