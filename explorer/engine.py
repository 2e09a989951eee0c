"""recipe + subject -> report. Composes the other modules; never modifies the model it is given."""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from .allocation import Losses
from .cache import Cache
from .compaction import compact
from .environment import environment
from .errors import ExplorerError
from .evaluation import EMPTY, Tally, batch_size, evaluate
from .graph.export import ModelGraph, count_macs
from .graph.limits import Size, size_of
from .job_state import Progress
from .latency import Timing, faster, rounds
from .masking import Cut, check_parts, check_rates_weights, cut, expand, positions, score
from .planning import context_for
from .recovery.bias_correction import correct_biases, kept_outputs
from .recovery.bn_recalibration import recalibrate
from .registry import ALLOCATORS, CRITERIA
from .signals.calibration import Calibration
from .signals.collecting import check_data, collect, signals_of
from .statistics import look_schedule, looks_level, paired_drop
from .storage_size import sizes
from .values import Drop, LayerOutcome, Masks, Measurement, Recipe, Report, Scores, Split, Subject, check_ratio

KEPT = 16  # scores, dense tallies: entries of each cache
# a forward holds about three of its largest activations at a time, and should take no more than this
ALIVE, BATCH_BYTES = 3, 2 * 1024**3
FIRST_LOOK = 128  # samples until the first number


@dataclass(frozen=True)
class Conditions:
    """Under which conditions a recipe is measured.

    Args:
        samples: the first so many of the split; None = all.
        split: "tuning", or "held_out".
        device: "cpu" or "cuda".
        latency: also measure latency, after everything else.
        level: of the last drop's interval; `looks_level(k)` when held-out data is opened for the k-th time.
    """

    samples: int | None = None
    split: str = "tuning"
    device: str = "cpu"
    latency: bool = True
    level: float = 0.95


_scores, _dense, _latencies, _costs = Cache(KEPT), Cache(KEPT), Cache(64), Cache(KEPT)


# --------------------------------------------------------------------------- decide


def scores_for(subject: Subject, graph: ModelGraph, recipe: Recipe, device: str = "cpu") -> dict[str, dict[str, Tensor]]:
    """Saliency of every part under the recipe's criterion, kept for the next recipe.

    Args:
        device: where training data is read, if the criterion needs it; the first time takes seconds (see `calibrate`).
    Returns: {"channels": group -> (units,), "weights": layer -> the weight's shape}.
    """
    task = subject.task.fingerprint if subject.task else None
    key = (subject.id, task, hash(recipe.criterion), recipe.reduction, recipe.seed, device)
    found = _scores.get(key)
    if found is None:
        signals = signals_of(subject, graph, CRITERIA[recipe.criterion.name], recipe.seed, Calibration(device=device))
        found = _scores.put(key, score(graph.profile, recipe, signals))
    return found


def calibrate(subject: Subject, graph: ModelGraph, recipe: Recipe, device: str = "cpu") -> Iterator[Progress]:
    """Collect what the recipe's criterion needs, with progress; nothing happens if it needs nothing or all is known.

    Raises:
        ExplorerError: the criterion cannot rate this model, e.g. it needs training data and there is none.
    """
    criterion = CRITERIA[recipe.criterion.name]
    check_data(subject, criterion)
    yield from collect(subject, graph, criterion.traits["needs"], Calibration(device=device))


def decide(subject: Subject, graph: ModelGraph, recipe: Recipe, device: str = "cpu") -> Cut:
    """Masks and outcomes of a recipe.

    Raises:
        ExplorerError: the recipe names parts, criteria or parameters that do not exist here.
    """
    criterion = CRITERIA[recipe.criterion.name]
    criterion.check(recipe.criterion.params)
    check_parts(graph.profile, recipe)
    if recipe.is_empty:
        return Cut(Masks({}, {}), ())
    return cut(scores_for(subject, graph, recipe, device), graph.profile, recipe)


def masks_for(subject: Subject, graph: ModelGraph, recipe: Recipe) -> Masks:
    """The masks of a recipe: True = kept."""
    return decide(subject, graph, recipe).masks


def allocate(
    subject: Subject,
    graph: ModelGraph,
    recipe: Recipe,
    name: str,
    target: float,
    granularity: str,
    locked: frozenset[str] = frozenset(),
    *,
    params: Mapping[str, Any] | None = None,
    losses: Losses | None = None,
    device: str = "cpu",
) -> Recipe:
    """The recipe with ratios chosen by an allocator; locked parts keep theirs.

    Args:
        target: fraction of all units of the unlocked parts that goes (sensitivity_budget: of the whole model's cost).
        granularity: "channel" or "weight".
        params: of the allocator.
        losses: how much the loss grows at each scanned ratio of each part, for allocators that need a scan.
    Raises:
        TargetError: the target cannot be reached.
        RecipeError: the criterion cannot rate weights.
    """
    allocator = ALLOCATORS[name]
    target, given = check_ratio(name, target), allocator.check(params or {})
    if granularity == "weight":
        check_rates_weights(CRITERIA[recipe.criterion.name])
    kept = {part: ratio for part, ratio in recipe.ratios(granularity).items() if part in locked}
    scores = _unit_scores(subject, graph, recipe, granularity, allocator.traits["needs_scores"], device)
    free = {part: score for part, score in scores.items() if part not in locked}
    context = context_for(subject, graph.profile, recipe.with_ratios(granularity, kept), granularity, losses)
    return recipe.with_ratios(granularity, {**kept, **allocator(free, target, context, **given)})


def _unit_scores(subject: Subject, graph: ModelGraph, recipe: Recipe, granularity: str, needed: bool, device: str) -> Scores:
    """Part -> saliency of its units; where it isn't needed, something of that shape that costs nothing."""
    if needed:
        return scores_for(subject, graph, recipe, device)["channels" if granularity == "channel" else "weights"]
    profile = graph.profile
    if granularity == "channel":
        return {name: torch.zeros(()).expand(group.units) for name, group in profile.free_groups.items()}
    return {name: torch.zeros(()).expand(layer.shape) for name, layer in profile.prunable_layers.items()}


# --------------------------------------------------------------------------- build


def build(subject: Subject, graph: ModelGraph, masks: Masks, device: str = "cpu") -> nn.Module:
    """The model that export would write: physically smaller, weights outside of the masks zero, on the device."""
    if graph.program is not None:
        return laid_out(compact(subject, graph, masks), device)
    model = copy.deepcopy(subject.model)
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters(remove_duplicate=False)}
    with torch.no_grad():
        for name, mask in expand(masks, graph.profile, shapes).items():
            model.get_parameter(name).mul_(mask)
    return laid_out(model, device)


def laid_out(model: nn.Module, device: str) -> nn.Module:
    """The model on the device; one with images in channels_last, which convolutions prefer. Changes the given model."""
    if any(p.dim() == 4 for p in model.parameters()):
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model.to(device)


def _outcomes(
    graph: ModelGraph, masks: Masks, nonzero: Mapping[str, int], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[LayerOutcome, ...]:
    """What is left of each layer; MACs of a layer follow the size of its weight."""
    rows = []
    cut_positions = positions(graph.profile, masks.channels)
    for layer in graph.profile.layers:
        own = [name for name in shapes if name == layer.name or name.rpartition(".")[0] == layer.name]
        params = sum(_numel(shapes[name]) for name in own)
        weight = layer.weight or (f"{layer.name}.weight" if f"{layer.name}.weight" in shapes else layer.name)
        left = cut_positions.get(weight, {})
        after = tuple(int(left[d].sum()) if d in left else n for d, n in enumerate(layer.shape))
        share = _numel(after) / max(1, _numel(layer.shape))
        rows.append(LayerOutcome(layer.name, layer.kind, layer.shape, after, layer.params, params,
                                 sum(nonzero[name] for name in own), layer.macs, round(layer.macs * share)))  # fmt: skip
    return tuple(rows)


def _numel(shape: tuple[int, ...]) -> int:
    total = 1
    for extent in shape:
        total *= extent
    return total


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model with everything about it that needs no data."""

    model: nn.Module
    cut: Cut
    static: Measurement
    layers: tuple[LayerOutcome, ...]
    notes: tuple[str, ...]


def prepare(subject: Subject, graph: ModelGraph, recipe: Recipe, device: str = "cpu") -> Candidate:
    """Recipe -> the model to measure, its parameters, MACs and sizes (without deflate, which is slow)."""
    decided = decide(subject, graph, recipe, device)
    model = build(subject, graph, decided.masks, device)
    notes = _repair(model, subject, graph, recipe, decided.masks, device)
    parameters = dict(model.named_parameters(remove_duplicate=False))
    nonzero = {name: int(torch.count_nonzero(p)) for name, p in parameters.items()}
    shapes = {name: tuple(p.shape) for name, p in parameters.items()}
    unique = {id(p): (p.numel(), nonzero[name]) for name, p in parameters.items()}
    layers = _outcomes(graph, decided.masks, nonzero, shapes)
    static = Measurement(
        params=sum(total for total, _ in unique.values()), nonzero_params=sum(kept for _, kept in unique.values()),
        macs=_macs(graph, layers, model, subject.example, device), size_bytes=sizes(_tensors(model), deflate=False),
    )  # fmt: skip
    return Candidate(model, decided, static, layers, notes)


def _macs(graph: ModelGraph, layers: tuple[LayerOutcome, ...], model: nn.Module, example: Tensor, device: str) -> int:
    """Multiply-adds of one sample. Those of layers follow the shapes of their weights; only others must be counted anew."""
    if graph.program is not None and sum(layer.macs for layer in layers) == graph.profile.macs:
        return sum(layer.pruned_macs for layer in layers)
    return count_macs(model, example[:1].to(device))


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu() for name, tensor in model.state_dict(keep_vars=True).items()}


def _repair(
    model: nn.Module, subject: Subject, graph: ModelGraph, recipe: Recipe, masks: Masks, device: str
) -> tuple[str, ...]:
    if recipe.after == "none" or recipe.is_empty:
        return ()
    training = subject.task.split("training") if subject.task else None
    if subject.task is None or training is None:
        what = "Norms were not recalibrated" if recipe.after == "bn_recalibration" else "Biases were not corrected"
        return (f"{what}: this model has no training data. Add some with --data.",)
    if recipe.after == "bias_correction":
        dense = build(subject, graph, Masks({}, {}), device)  # a copy, since the subject's own model is shared
        rule, kept = subject.task.normalisation, kept_outputs(graph.profile, masks)
        count = correct_biases(model, dense, training, rule, kept, device=device)
        return (f"Biases of {count} layers corrected on training images.",) if count else ("No layer has a bias to correct.",)
    count = recalibrate(model, training, subject.task.normalisation, device=device)
    return (f"{count} norms recalibrated on training images.",) if count else ("This model has no batch norms to recalibrate.",)


# --------------------------------------------------------------------------- measure


def stream(subject: Subject, graph: ModelGraph, recipe: Recipe, conditions: Conditions = Conditions()) -> Iterator[Report]:
    """Measure a recipe: a Report after each chunk of samples ("live"), then "final" ones: with sizes, then with latency.

    Baseline and pruned are always counted on the same first samples.

    Raises:
        ExplorerError: the recipe does not fit this model, or the split does not exist.
    """
    pruned = prepare(subject, graph, recipe, conditions.device)
    dense = _dense_candidate(subject, graph, conditions.device)
    report = _report(subject, graph, recipe, conditions, dense, pruned)
    if subject.task is None:
        report = replace(report, notes=(*report.notes, "No data: accuracy is not measured. Start with --data to add some."))
    else:
        for live in _accuracies(subject, recipe, conditions, dense, pruned, report):
            report = live
            yield report
    report = replace(report, stage="final", baseline=_weighed(report.baseline, dense, subject.id),
                     pruned=_weighed(report.pruned, pruned, subject.id))  # fmt: skip
    yield report
    if conditions.latency:
        yield from _timed(subject, recipe, conditions, dense, pruned, report)


def prune(subject: Subject, graph: ModelGraph, recipe: Recipe, conditions: Conditions = Conditions()) -> Report:
    """The last Report of `stream`."""
    *_, report = stream(subject, graph, recipe, conditions)
    return report


def _dense_candidate(subject: Subject, graph: ModelGraph, device: str) -> Candidate:
    key = (subject.id, device)
    return _costs.get(key) or _costs.put(key, prepare(subject, graph, Recipe(), device))


def _report(
    subject: Subject, graph: ModelGraph, recipe: Recipe, conditions: Conditions, dense: Candidate, pruned: Candidate
) -> Report:
    task = subject.task
    about = {"id": subject.id, "name": subject.name, "task": task.name if task else None,
             "task_fingerprint": task.fingerprint if task else None}  # fmt: skip
    return Report(about, recipe, dense.static, pruned.static, None, pruned.layers, pruned.cut.outcomes,
                  environment(conditions.device), conditions.split, "live", 0, pruned.notes)  # fmt: skip


def _accuracies(
    subject: Subject, recipe: Recipe, conditions: Conditions, dense: Candidate, pruned: Candidate, report: Report
) -> Iterator[Report]:
    """A new report at each look; the last one again after each batch between two looks, as a place to be stopped at."""
    task = subject.task
    assert task is not None
    split = split_for(subject, conditions)
    looks = look_schedule(len(split), FIRST_LOOK)
    notes: list[str] = []
    said, tally = report.notes, EMPTY
    report = replace(report, total_samples=len(split))
    for look in looks:
        base = EMPTY
        for base in _baseline(dense.model, subject, split, conditions, look, notes.append):
            if len(tally) and len(base) < look:
                yield report
        batch = fitting_batch(subject, conditions.device)
        how: dict[str, Any] = {"device": conditions.device, "batch": batch, "start": tally, "notes": notes.append}
        for tally in [base] if recipe.is_empty else evaluate(pruned.model, split, task.normalisation, [look], **how):
            if report.pruned.samples and len(tally) < look:
                yield report
        level = conditions.level if look == looks[-1] else looks_level(len(looks))
        report = replace(
            report, baseline=_merged(report.baseline, base.measurement()), pruned=_merged(report.pruned, tally.measurement()),
            drop=drop_between(base, tally, level), notes=(*said, *dict.fromkeys(notes)),
        )  # fmt: skip
        yield report


def _baseline(
    model: nn.Module, subject: Subject, split: Split, conditions: Conditions, look: int, notes: Callable[[str], None]
) -> Iterator[Tally]:
    """The dense model's tally, continued batch by batch where fewer than `look` samples are known; the last has just them."""
    task = subject.task
    assert task is not None
    key = (subject.id, task.name, task.fingerprint, conditions.split, conditions.device)
    base: Tally = _dense.get(key) or EMPTY
    how: dict[str, Any] = {"device": conditions.device, "batch": fitting_batch(subject, conditions.device), "notes": notes}
    for grown in evaluate(model, split, task.normalisation, [look], start=base, **how):
        base = _dense.put(key, grown)
        if len(base) < look:
            yield base
    yield base.first(look)


def fitting_batch(subject: Subject, device: str) -> int:
    """Samples of one forward: what suits the device, fewer for a model whose largest activations would fill the memory."""
    size = size_of(subject.model, subject.example)
    if not isinstance(size, Size) or not size.activation_bytes:
        return batch_size(device)
    return min(batch_size(device), max(1, BATCH_BYTES // (ALIVE * size.activation_bytes)))


def baseline(subject: Subject, graph: ModelGraph, conditions: Conditions, look: int) -> Iterator[Tally]:
    """The dense model on the first samples: a tally after each batch, the last with just `look` samples; kept for later."""
    dense = _dense_candidate(subject, graph, conditions.device)
    yield from _baseline(dense.model, subject, split_for(subject, conditions), conditions, look, lambda note: None)


def split_for(subject: Subject, conditions: Conditions) -> Split:
    """The samples that these conditions ask for.

    Raises:
        ExplorerError: the data has no such split, or the number of samples is not allowed.
    """
    assert subject.task is not None
    split = subject.task.split(conditions.split)  # type: ignore[arg-type]
    if split is None or not len(split):
        raise ExplorerError(f"Data set {subject.task.name!r} has no {conditions.split.replace('_', '-')} split; use tuning.")
    if conditions.samples is not None and conditions.samples < 1:
        raise ExplorerError(f"The number of samples must be from 1 to {len(split)}, got {conditions.samples}.")
    return split if conditions.samples is None else split.first(conditions.samples)


def drop_between(base: Tally, pruned: Tally, level: float = 0.95) -> Drop:
    """Paired comparison on the same samples."""
    b = int((base.correct & ~pruned.correct).sum())
    c = int((~base.correct & pruned.correct).sum())
    return paired_drop(b, c, len(base), level=level)


def _merged(static: Measurement, counted: Measurement) -> Measurement:
    return replace(counted, params=static.params, nonzero_params=static.nonzero_params, macs=static.macs,
                   size_bytes=static.size_bytes, latency_ms=static.latency_ms)  # fmt: skip


_deflated = Cache(4)


def _weighed(measurement: Measurement, candidate: Candidate, subject: str) -> Measurement:
    """With the deflated size, kept for the dense model of each subject."""
    is_dense = not candidate.cut.outcomes
    found = (_deflated.get(subject) if is_dense else None) or sizes(_tensors(candidate.model))
    if is_dense:
        _deflated.put(subject, found)
    return replace(measurement, size_bytes=found)


def _timed(
    subject: Subject, recipe: Recipe, conditions: Conditions, dense: Candidate, pruned: Candidate, report: Report
) -> Iterator[Report]:
    """Latency, cached by the tuple of widths; where no width changed it is that of the dense model, and says so."""
    widths = tuple(layer.pruned_shape for layer in report.layers)
    is_smaller = any(layer.pruned_shape != layer.shape for layer in report.layers)
    key = (subject.id, conditions.device, widths, torch.get_num_threads())
    timing: Timing | None = _latencies.get(key)
    if timing is None:
        models = {"dense": dense.model, "pruned": pruned.model} if is_smaller else {"dense": dense.model}
        times: dict[str, list[float]] = {name: [] for name in models}
        for turn in rounds(models, subject.example[:1], device=conditions.device):
            for name, milliseconds in (turn or {}).items():
                times[name].append(milliseconds)
            yield report  # a place to be cancelled at
        timing = Timing({name: tuple(ms) for name, ms in times.items()}, 1, report.environment)
        _latencies.put(key, timing)
    notes = report.notes
    if recipe.weights and not is_smaller:
        notes = (*notes, "Latency is the dense model's: zeros alone do not make dense kernels faster.")
    found = timing.latency_ms
    speed_up = faster(timing.times_ms["dense"], timing.times_ms["pruned"]).to_json() if "pruned" in found else None
    base, own = (replace(m, latency_ms=found.get(name, found["dense"])) for name, m in
                 (("dense", report.baseline), ("pruned", report.pruned)))  # fmt: skip
    yield replace(report, baseline=base, pruned=own, notes=notes, speed_up=speed_up)
