"""Passes over training data that only collect: gradients, activations, feature maps. Tuning and held-out data
are not touched.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..metrics.losses import cross_entropy, loss_of
from ..values.profile import Layer, ModelProfile
from ..values.progress import Step, Work, reached, result_of
from ..values.samples import Split, moved
from ..values.subject import Subject
from .neighbours import placed, slots_at
from .passes import Sums, activation_sums, gradient_sums, map_sums
from .watching import Watched, watch

SAMPLES = 1024
GRADIENT_BATCH = 16
BATCH = 64
MAP_SAMPLES = 128  # each map costs a singular value decomposition

Collected = Mapping[str, Mapping[str, Tensor]]  # layer -> signal -> tensor, on the cpu


@dataclass(frozen=True)
class Calibration:
    """How signals are collected.

    Args:
        samples: use only the first so many of the training split, whose order is seeded and stratified.
        batch: samples per pass; None = 16 for gradients, otherwise 64.
        device: where the passes run.
    """

    samples: int = SAMPLES
    batch: int | None = None
    device: str = "cpu"


USUAL = Calibration()


def training_data(subject: Subject) -> Split | None:
    """Return the split that calibration may read."""
    split = subject.task.split("training") if subject.task else None
    return split if split is not None and len(split) else None


Pass = Callable[[Watched, Tensor, Any], Sums]


def _sweep(subject: Subject, watched: Watched, one_pass: Pass, how: Calibration, label: str) -> Work[Sums]:
    """Yield Progress after each batch, and the sums at the end. If device memory runs out, the batch is
    halved.
    """
    split = training_data(subject)
    assert split is not None and subject.task is not None and how.batch is not None
    split, device = split.first(how.samples), how.device
    batch, done, total = watched.batch or how.batch, 0, Sums()
    yield reached(0, len(split), label)  # reading the data may have taken a while
    while done < len(split):
        until = min(done + batch, len(split))
        if watched.batch and until - done < watched.batch:
            break  # a model with a fixed batch cannot read the rest
        try:
            inputs = subject.task.normalisation(moved(split.inputs_at(done, until), device))
            sums = one_pass(watched, inputs, moved(split.targets_at(done, until), device))
        except torch.OutOfMemoryError:
            if watched.batch or batch == 1:
                raise
            batch //= 2
            torch.cuda.empty_cache()
            continue
        total = {key: total[key] + values if key in total else values for key, values in sums.items()}
        done = until
        yield reached(done, len(split), label)
    if not done:
        few = f"The training data hold fewer samples ({len(split)})"
        raise ExplorerError(f"{few} than this model reads at once ({watched.batch}); add more.")
    yield Step({**total, ("", "samples"): torch.tensor(float(done), dtype=torch.double)})


def _swept(model: Analysed, how: Calibration, kind: str, batch: int, samples: int) -> Work[Sums]:
    watched, layers = watch(model, how.device), model.profile.prunable_layers
    assert model.subject.task is not None
    loss = loss_of(model.subject.task) if kind == "gradients" else cross_entropy
    passes: dict[str, Pass] = {
        "gradients": lambda w, inputs, targets: gradient_sums(w, inputs, targets, model.profile, loss),
        "activations": lambda w, inputs, targets: activation_sums(w, inputs, layers),
        "feature maps": lambda w, inputs, targets: map_sums(w, inputs),
    }
    chosen = Calibration(samples, how.batch or batch, how.device)
    yield from _sweep(model.subject, watched, passes[kind], chosen, f"Collecting {kind}")


def gradients(model: Analysed, how: Calibration) -> Work[Collected]:
    """Yield Progress, and at the end means over samples of the gradient and its square, for each layer's
    weight and for gates on its outputs.
    """
    sums = yield from result_of(_swept(model, how, "gradients", GRADIENT_BATCH, how.samples))
    means = {key: (values / sums["", "samples"]).cpu() for key, values in sums.items()}
    yield Step(
        {
            name: {
                "gradient": means[name, "gradient"],
                "squared_gradient": means[name, "square"],
                "gate_gradient": _on_outputs(model.profile, layer, means, "gate"),
                "squared_gate_gradient": _on_outputs(model.profile, layer, means, "gate square"),
            }
            for name, layer in model.profile.prunable_layers.items()
        }
    )


def _on_outputs(profile: ModelProfile, layer: Layer, means: Sums, what: str) -> Tensor:
    """Return (out,) of a value known for each unit; 0 where outputs are frozen."""
    line = torch.zeros(layer.shape[layer.output_dim])
    for group, slot in slots_at(profile, layer.weight, layer.output_dim):
        if (group.name, what) in means:
            line = placed(means[group.name, what], slot, line)
    return line


def activations(model: Analysed, how: Calibration) -> Work[Collected]:
    """Yield Progress, and at the end input_norm, positive_share and mean_magnitude of each layer that ran."""
    layers = model.profile.prunable_layers
    sums = yield from result_of(_swept(model, how, "activations", BATCH, how.samples))
    yield Step({name: _activity(layer, sums) for name, layer in layers.items() if (name, "count") in sums})


def _activity(layer: Layer, sums: Sums) -> dict[str, Tensor]:
    count = sums[layer.name, "count"]

    def mean(what):
        return _folded(layer, sums[layer.name, what].cpu() / count.cpu()).float()

    norms = sums[layer.name, "input"].cpu().sqrt().float()
    return {
        "positive_share": mean("positive"),
        "mean_magnitude": mean("magnitude"),
        "input_norm": _onto_weight(layer, norms),
    }


def _folded(layer: Layer, per_output: Tensor) -> Tensor:
    """Return (out,) in the weight's count of outputs: a grouped transposed convolution has those of one
    group, so groups are averaged.
    """
    outputs = layer.shape[layer.output_dim]
    return per_output if len(per_output) == outputs else per_output.view(-1, outputs).mean(0)


def _onto_weight(layer: Layer, per_input: Tensor) -> Tensor:
    """Return (in,) in a shape that multiplies the weight; in a grouped convolution each output has its own
    inputs.
    """
    inputs, kernel = layer.shape[layer.input_dim], (1,) * (len(layer.shape) - 2)
    if layer.input_dim == 0:
        return per_input.view(-1, 1, *kernel)
    groups = len(per_input) // inputs
    rows = per_input.view(groups, inputs)
    return (rows if groups == 1 else rows.repeat_interleave(layer.shape[0] // groups, 0)).view(
        -1, inputs, *kernel
    )


def feature_maps(model: Analysed, how: Calibration) -> Work[Collected]:
    """Yield Progress, and at the end map_rank of each layer whose outputs are maps.

    Raises:
        ExplorerError: no layer has maps.
    """
    sums = yield from result_of(_swept(model, how, "feature maps", BATCH, min(how.samples, MAP_SAMPLES)))
    layers = {name: layer for name, layer in model.profile.prunable_layers.items() if (name, "maps") in sums}
    if not layers:
        raise ExplorerError(
            "No layer of this model makes feature maps that could be ranked; choose activation_mean or the "
            "like."
        )
    ranks = {name: sums[name, "ranks"].cpu() / sums[name, "maps"].cpu() for name in layers}
    yield Step({name: {"map_rank": _folded(layer, ranks[name]).float()} for name, layer in layers.items()})
