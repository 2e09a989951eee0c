"""recipe + subject -> report. Composes the other modules; never modifies the model it is given."""

import copy
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from .compaction import compact
from .environment import environment
from .errors import ExplorerError
from .evaluation import EMPTY, Tally, evaluate
from .graph.export import ModelGraph, count_macs
from .latency import Timing, faster, rounds
from .masking import Cut, check_parts, cut, expand, positions, score
from .recovery.bn_recalibration import recalibrate
from .registry import ALLOCATORS, CRITERIA
from .signals import LayerSignals, layer_signals
from .statistics import look_schedule, looks_level, paired_drop
from .storage_size import sizes
from .values import Drop, Layer, LayerOutcome, Masks, Measurement, Recipe, Report, Split, Subject, check_ratio

KEPT = 16  # scores, dense tallies: entries of each cache


@dataclass(frozen=True)
class Conditions:
    """Under which conditions a recipe is measured.

    Args:
        samples: the first so many of the split; None = all.
        split: "tuning", or "held_out".
        device: "cpu" or "cuda".
        latency: also measure latency, after everything else.
    """

    samples: int | None = None
    split: str = "tuning"
    device: str = "cpu"
    latency: bool = True


class _Cache:
    """A small thread-safe store of what is the same for many recipes; the oldest entry goes first."""

    def __init__(self, entries: int = KEPT):
        self._entries, self._lock = entries, threading.Lock()
        self._values: OrderedDict[Any, Any] = OrderedDict()

    def get(self, key: Any) -> Any:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Any, value: Any) -> Any:
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._entries:
                self._values.popitem(last=False)
        return value


_scores, _dense, _latencies, _costs = _Cache(), _Cache(), _Cache(64), _Cache()


# --------------------------------------------------------------------------- decide


def scores_for(subject: Subject, graph: ModelGraph, recipe: Recipe) -> dict[str, dict[str, Tensor]]:
    """Saliency of every part under the recipe's criterion, kept for the next recipe.

    Returns: {"channels": group -> (units,), "weights": layer -> the weight's shape}.
    """
    key = (subject.id, hash(recipe.criterion), recipe.reduction, recipe.seed)
    found = _scores.get(key)
    if found is None:
        signals: dict[str, LayerSignals] = {}

        def signals_of(layer: Layer) -> LayerSignals:
            return signals.setdefault(layer.name, layer_signals(subject, layer, recipe.seed))

        found = _scores.put(key, score(graph.profile, recipe, signals_of))
    return found


def decide(subject: Subject, graph: ModelGraph, recipe: Recipe) -> Cut:
    """Masks and outcomes of a recipe.

    Raises:
        ExplorerError: the recipe names parts, criteria or parameters that do not exist here.
    """
    criterion = CRITERIA[recipe.criterion.name]
    criterion.check(recipe.criterion.params)
    check_parts(graph.profile, recipe)
    if recipe.is_empty:
        return Cut(Masks({}, {}), ())
    return cut(scores_for(subject, graph, recipe), graph.profile, recipe)


def masks_for(subject: Subject, graph: ModelGraph, recipe: Recipe) -> Masks:
    """The masks of a recipe: True = kept."""
    return decide(subject, graph, recipe).masks


def allocate(
    subject: Subject, graph: ModelGraph, recipe: Recipe, name: str, target: float, granularity: str, locked: frozenset[str] = frozenset()
) -> Recipe:
    """The recipe with ratios chosen by an allocator; locked parts keep theirs.

    Args:
        target: fraction of all units of the unlocked parts that goes.
        granularity: "channel" or "weight".
    """
    allocator = ALLOCATORS[name]
    target = check_ratio(name, target)
    family = "channels" if granularity == "channel" else "weights"
    scores = {part: s for part, s in scores_for(subject, graph, recipe)[family].items() if part not in locked}
    kept = {part: ratio for part, ratio in getattr(recipe, family).items() if part in locked}
    return replace(recipe, **{family: {**kept, **allocator(scores, target)}})


# --------------------------------------------------------------------------- build


def build(subject: Subject, graph: ModelGraph, masks: Masks, device: str = "cpu") -> nn.Module:
    """The model that export would write: physically smaller, weights outside of the masks zero, on the device."""
    if graph.program is not None:
        return _laid_out(compact(subject, graph, masks), device)
    model = copy.deepcopy(subject.model)
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters(remove_duplicate=False)}
    with torch.no_grad():
        for name, mask in expand(masks, graph.profile, shapes).items():
            model.get_parameter(name).mul_(mask)
    return _laid_out(model, device)


def _laid_out(model: nn.Module, device: str) -> nn.Module:
    if any(p.dim() == 4 for p in model.parameters()):
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model.to(device)


def _outcomes(graph: ModelGraph, masks: Masks, nonzero: Mapping[str, int], shapes: Mapping[str, tuple[int, ...]]) -> tuple[LayerOutcome, ...]:
    """What is left of each layer; MACs of a layer follow the size of its weight."""
    rows = []
    cut_positions = positions(graph.profile, masks.channels)
    for layer in graph.profile.layers:
        own = [name for name in shapes if name == layer.name or name.rpartition(".")[0] == layer.name]
        params = sum(_numel(shapes[name]) for name in own)
        weight = layer.weight or (f"{layer.name}.weight" if f"{layer.name}.weight" in shapes else layer.name)
        after = tuple(int(cut_positions[weight][d].sum()) if d in cut_positions.get(weight, {}) else n for d, n in enumerate(layer.shape))
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
    decided = decide(subject, graph, recipe)
    model = build(subject, graph, decided.masks, device)
    notes = _repair(model, subject, recipe, device)
    parameters = dict(model.named_parameters(remove_duplicate=False))
    nonzero = {name: int(torch.count_nonzero(p)) for name, p in parameters.items()}
    shapes = {name: tuple(p.shape) for name, p in parameters.items()}
    unique = {id(p): (p.numel(), nonzero[name]) for name, p in parameters.items()}
    example = subject.example[:1].to(device)
    static = Measurement(
        params=sum(total for total, _ in unique.values()), nonzero_params=sum(kept for _, kept in unique.values()),
        macs=count_macs(model, example), size_bytes=sizes(_tensors(model), deflate=False),
    )  # fmt: skip
    return Candidate(model, decided, static, _outcomes(graph, decided.masks, nonzero, shapes), notes)


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu() for name, tensor in model.state_dict(keep_vars=True).items()}


def _repair(model: nn.Module, subject: Subject, recipe: Recipe, device: str) -> tuple[str, ...]:
    if recipe.after == "none" or recipe.is_empty:
        return ()
    training = subject.task.split("training") if subject.task else None
    if subject.task is None or training is None:
        return ("Norms were not recalibrated: this model has no training data. Add some with --data.",)
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
        for report in _accuracies(subject, recipe, conditions, dense, pruned, report):
            yield report
    report = replace(report, stage="final", baseline=_weighed(report.baseline, dense), pruned=_weighed(report.pruned, pruned))
    yield report
    if conditions.latency:
        yield from _timed(subject, recipe, conditions, dense, pruned, report)


def prune(subject: Subject, graph: ModelGraph, recipe: Recipe, conditions: Conditions = Conditions()) -> Report:
    """The last Report of `stream`."""
    report = None
    for report in stream(subject, graph, recipe, conditions):
        pass
    assert report is not None
    return report


def _dense_candidate(subject: Subject, graph: ModelGraph, device: str) -> Candidate:
    key = (subject.id, device)
    return _costs.get(key) or _costs.put(key, prepare(subject, graph, Recipe(), device))


def _report(subject: Subject, graph: ModelGraph, recipe: Recipe, conditions: Conditions, dense: Candidate, pruned: Candidate) -> Report:
    task = subject.task
    about = {"id": subject.id, "name": subject.name, "task": task.name if task else None,
             "task_fingerprint": task.fingerprint if task else None}  # fmt: skip
    return Report(about, recipe, dense.static, pruned.static, None, pruned.layers, pruned.cut.outcomes,
                  environment(conditions.device), conditions.split, "live", 0, pruned.notes)  # fmt: skip


def _accuracies(
    subject: Subject, recipe: Recipe, conditions: Conditions, dense: Candidate, pruned: Candidate, report: Report
) -> Iterator[Report]:
    task = subject.task
    assert task is not None
    split = _split(subject, conditions)
    looks = look_schedule(len(split))
    notes: list[str] = []
    key = (subject.id, task.fingerprint, conditions.split, conditions.device)
    base: Tally = _dense.get(key) or EMPTY
    report = replace(report, total_samples=len(split))
    tally = EMPTY
    for look in looks:
        if len(base) < look:
            for base in evaluate(dense.model, split, task.normalisation, [look], device=conditions.device, start=base, notes=notes.append):
                if recipe.is_empty and len(base) < look:
                    continue
            _dense.put(key, base)
        if recipe.is_empty:
            tally = base.first(look)
        else:
            for tally in evaluate(pruned.model, split, task.normalisation, [look], device=conditions.device, start=tally, notes=notes.append):
                pass
        level = 0.95 if look == looks[-1] else looks_level(len(looks))
        yield replace(
            report, baseline=_merged(report.baseline, base.first(look).measurement()), pruned=_merged(report.pruned, tally.measurement()),
            drop=drop_between(base.first(look), tally, level), notes=(*report.notes, *dict.fromkeys(notes)),
        )  # fmt: skip


def _split(subject: Subject, conditions: Conditions) -> Split:
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


_deflated = _Cache(4)


def _weighed(measurement: Measurement, candidate: Candidate) -> Measurement:
    """With the deflated size, kept for the dense model."""
    return replace(measurement, size_bytes=_deflated.get(id(candidate)) or _weigh(candidate))


def _weigh(candidate: Candidate) -> dict[str, int]:
    found = sizes(_tensors(candidate.model))
    if not candidate.cut.outcomes:
        _deflated.put(id(candidate), found)
    return found


def _timed(
    subject: Subject, recipe: Recipe, conditions: Conditions, dense: Candidate, pruned: Candidate, report: Report
) -> Iterator[Report]:
    """Latency, cached by the tuple of widths; without channel cuts it is that of the dense model, and says so."""
    widths = tuple(layer.pruned_shape for layer in report.layers)
    key = (subject.id, conditions.device, widths, torch.get_num_threads())
    timing: Timing | None = _latencies.get(key)
    if timing is None:
        models = {"dense": dense.model, "pruned": pruned.model} if recipe.is_structured else {"dense": dense.model}
        times: dict[str, list[float]] = {name: [] for name in models}
        for turn in rounds(models, subject.example[:1], device=conditions.device):
            for name, milliseconds in (turn or {}).items():
                times[name].append(milliseconds)
            yield report  # a place to be cancelled at
        timing = Timing({name: tuple(ms) for name, ms in times.items()}, 1, report.environment)
        _latencies.put(key, timing)
    notes = report.notes
    if recipe.weights and not recipe.is_structured:
        notes = (*notes, "Latency is the dense model's: zeros alone do not make dense kernels faster.")
    found = timing.latency_ms
    speed_up = faster(timing.times_ms["dense"], timing.times_ms["pruned"]).to_json() if "pruned" in found else None
    base = found["dense"]
    yield replace(report, baseline=replace(report.baseline, latency_ms=base),
                  pruned=replace(report.pruned, latency_ms=found.get("pruned", base)), notes=notes, speed_up=speed_up)  # fmt: skip
