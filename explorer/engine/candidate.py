"""subject + masks -> the model that export would write, with all its numbers that need no data."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, fx, nn

from ..compaction.compact import compact
from ..graph.analysed import Analysed
from ..graph.export import ModelGraph, count_macs
from ..graph.nodes import layer_of
from ..graph.remaining_macs import remaining_macs
from ..graph.running import fixed_batch
from ..measuring.memory_layout import in_usual_order, laid_out
from ..measuring.storage_size import sizes, state_of
from ..pruning.computed_weights import changed_by
from ..pruning.cutting import Cut
from ..pruning.decision import decide
from ..pruning.masks import expand, positions
from ..repair.bias_correction import correct_biases, kept_outputs
from ..repair.bn_recalibration import recalibrate
from ..repair.calibration_inputs import calibration_batches
from ..repair.least_squares import LeastSquares, repair_notes
from ..repair.trail import begun, left, taken
from ..values.profile import Masks
from ..values.progress import PAUSE, Returning, Step, Work, outcome
from ..values.recipe import Recipe
from ..values.report import LayerOutcome, Measurement


def build(model: Analysed, masks: Masks, device: str = "cpu", *, share: bool = False) -> nn.Module:
    """Return the model that export would write: physically smaller, weights outside the masks zero, on the
    device.

    Args:
        share: what stays as it was is the given model's own memory, for a model that nobody writes into.
    """
    if model.graph.program is not None:
        return laid_out(compact(model, masks, share=share), device)
    network = copy.deepcopy(model.subject.model)
    shapes = {name: tuple(p.shape) for name, p in network.named_parameters(remove_duplicate=False)}
    with torch.no_grad():
        for name, mask in expand(masks, model.profile, shapes).items():
            network.get_parameter(name).mul_(mask)
    return laid_out(in_usual_order(network), device)


def _outcomes(
    graph: ModelGraph,
    masks: Masks,
    nonzero: Mapping[str, int],
    shapes: Mapping[str, tuple[int, ...]],
    macs: Mapping[str, int],
) -> tuple[LayerOutcome, ...]:
    """Return what is left of each layer; those whose MACs are not known have as many as the size of their
    weight says.
    """
    rows = []
    tensors: dict[str, list[str]] = {}  # of each layer; asked once, since a deep model has a thousand of them
    for name in shapes:
        for layer_name in {name, layer_of(name)}:
            tensors.setdefault(layer_name, []).append(name)
    cut_positions = positions(graph.profile, masks.channels)
    for layer in graph.profile.layers:
        own = tensors.get(layer.name, [])
        params = sum(prod(shapes[name]) for name in own)
        weight = layer.weight or (f"{layer.name}.weight" if f"{layer.name}.weight" in shapes else layer.name)
        left = cut_positions.get(weight, {})
        after = tuple(int(left[d].sum()) if d in left else n for d, n in enumerate(layer.shape))
        if not own and layer.params:  # removed with its block
            after = (0,) * len(layer.shape)
        share = prod(after) / max(1, prod(layer.shape))
        rows.append(
            LayerOutcome(
                layer.name,
                layer.kind,
                layer.shape,
                after,
                layer.params,
                params,
                sum(nonzero[name] for name in own),
                layer.macs,
                macs.get(layer.name, round(layer.macs * share)),
            )
        )
    return tuple(rows)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model with all its numbers that need no data."""

    model: nn.Module
    cut: Cut
    static: Measurement
    layers: tuple[LayerOutcome, ...]
    notes: tuple[str, ...]


def prepare(model: Analysed, recipe: Recipe, device: str = "cpu", *, share: bool = False) -> Candidate:
    """Return the last value of `prepared`."""
    return outcome(prepared(model, recipe, device, share=share))


def prepared(model: Analysed, recipe: Recipe, device: str = "cpu", *, share: bool = False) -> Work[Candidate]:
    """Yield the model to measure for a recipe, with its parameters, MACs and sizes (without deflate, which is
    slow); until then there are places to be stopped at.

    Args:
        share: as in `build`.
    """
    decided = decide(model, recipe, device)
    network = build(model, decided.masks, device, share=share)
    notes = _computed(model, decided.masks) if not recipe.is_empty else ()
    notes += yield from _repair(network, model, recipe, decided.masks, device)
    yield Step(described(model, network, decided, notes, device))


def _computed(model: Analysed, masks: Masks) -> tuple[str, ...]:
    """Return notes for the user if weights are computed in the forward."""
    layers = changed_by(model, masks)
    if not layers:
        return ()
    more = f" and {len(layers) - 1:,} more layers" if len(layers) > 1 else ""
    return (
        f"The model computes the weights of {layers[0]!r}{more} from all stored ones, so those that are left "
        "change with the cut, or are not zero.",
    )


def described(
    model: Analysed,
    network: nn.Module,
    decided: Cut,
    notes: tuple[str, ...] = (),
    device: str = "cpu",
) -> Candidate:
    """Return a model that was built with these masks, even if its weights have changed since, with all its
    numbers that need no data.
    """
    parameters = dict(network.named_parameters(remove_duplicate=False))
    nonzero = {name: int(torch.count_nonzero(p)) for name, p in parameters.items()}
    shapes = {name: tuple(p.shape) for name, p in parameters.items()}
    unique = {id(p): (p.numel(), nonzero[name]) for name, p in parameters.items()}
    smaller = decided.masks.channels or decided.masks.blocks
    left = remaining_macs(model.graph, decided.masks) if smaller else None
    layers = _outcomes(model.graph, decided.masks, nonzero, shapes, left or {})
    static = Measurement(
        params=sum(total for total, _ in unique.values()),
        nonzero_params=sum(kept for _, kept in unique.values()),
        macs=_macs(model.graph, layers, network, model.subject.example, device)
        if left is None
        else sum(left.values()),
        size_bytes=sizes(state_of(network), deflate=False),
    )
    return Candidate(network, decided, static, layers, notes)


def _macs(
    graph: ModelGraph, layers: tuple[LayerOutcome, ...], model: nn.Module, example: Tensor, device: str
) -> int:
    """Return the multiply-adds for one sample where they do not follow from the shapes of the graph. Those of
    layers follow the shapes of their weights; only others must be counted again.
    """
    if graph.program is not None:
        if all(layer.pruned_shape == layer.shape for layer in layers):  # nothing is smaller, nothing is gone
            return graph.profile.macs
        if sum(layer.macs for layer in layers) == graph.profile.macs:
            return sum(layer.pruned_macs for layer in layers)
    fixed = fixed_batch(graph.program) if graph.program is not None else None
    return count_macs(model, example[: fixed or 1].to(device)) // (fixed or 1)


UNDONE = {
    "bn_recalibration": "Norms were not recalibrated",
    "bias_correction": "Biases were not corrected",
    "least_squares": "Weights were not repaired by least squares",
}


def _least_squares(
    network: nn.Module, model: Analysed, masks: Masks, device: str
) -> Returning[tuple[str, ...]]:
    if not isinstance(network, fx.GraphModule):
        return (f"{UNDONE['least_squares']}: that needs the model's graph, which could not be read.",)
    before = taken(model, device)
    batches = before.batches if before else calibration_batches(model, device)
    dense = build(model, Masks({}, {}), device, share=True)  # nobody writes into it
    assert isinstance(dense, fx.GraphModule)
    trail = begun(model, network, batches)
    work = LeastSquares(model, masks, network, dense, batches, trail)
    mark = before.last_before(network) if before else None
    if before and mark and trail:
        trail.marks = [one for one in before.marks if one.place <= mark.place]
        work.resume(mark)
    try:
        for _ in work.run() if batches else ():
            yield PAUSE
    finally:
        left(model, device, trail)
    return repair_notes(work.result, sum(map(len, batches)))


def _repair(
    network: nn.Module, model: Analysed, recipe: Recipe, masks: Masks, device: str
) -> Returning[tuple[str, ...]]:
    if recipe.after == "none" or recipe.is_empty:
        return ()
    training = model.subject.task.split("training") if model.subject.task else None
    if model.subject.task is None or training is None:
        return (f"{UNDONE[recipe.after]}: this model has no training data. Add some with --data.",)
    if recipe.after == "least_squares":
        return (yield from _least_squares(network, model, masks, device))
    if recipe.after == "bias_correction":
        dense = build(model, Masks({}, {}), device)  # a copy, since the subject's own model is shared
        rule, kept = model.subject.task.normalisation, kept_outputs(model.profile, masks)
        count = correct_biases(network, dense, training, rule, kept, device=device)
        return (
            (f"Biases of {count} layers corrected on training images.",)
            if count
            else ("No layer has a bias to correct.",)
        )
    count = recalibrate(network, training, model.subject.task.normalisation, device=device)
    return (
        (f"{count} norms recalibrated on training images.",)
        if count
        else ("This model has no batch norms to recalibrate.",)
    )
