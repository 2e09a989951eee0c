"""One calibration pass: runs a batch through the model and returns sums over its samples."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..metrics.losses import Loss
from ..values.profile import Group, Layer, ModelProfile
from .watching import Watched, silent

Sums = dict[tuple[str, str], Tensor]  # (layer or group, what) -> sum over samples


def gradient_sums(watched: Watched, inputs: Tensor, targets: Any, profile: ModelProfile, loss: Loss) -> Sums:
    """Return sums over samples of each weight's and each gate's gradient, and of its square.

    The square is that of the batch's mean gradient times the batch: exact for batch 1, and otherwise what
    per-sample gradients that scatter around zero would give, in a fraction of the time.
    """
    with torch.enable_grad():
        lost = loss(watched.run(inputs, silent, silent), targets)
        found = torch.autograd.grad(lost, list(watched.weights.values()), allow_unused=True)
    count, sums, changes = len(inputs), Sums(), {}
    for (name, weight), gradient in zip(watched.weights.items(), found, strict=True):
        g = torch.zeros_like(weight) if gradient is None else gradient.detach()
        sums[name, "gradient"], sums[name, "square"] = g * count, g.square() * count**2
        changes[profile.prunable_layers[name].weight] = g * weight.detach()
    for group in profile.free_groups.values():
        gate = _gate(group, changes)
        sums[group.name, "gate"], sums[group.name, "gate square"] = gate * count, gate.square() * count**2
    return sums


def _gate(group: Group, changes: Mapping[str, Tensor]) -> Tensor:
    """Return (units,) derivative of the loss by a gate on all that reads a unit: the sum of weight times
    gradient there.

    If no layer reads the units, as with queries and keys, the layers that produce them are summed.

    Args:
        changes: weight tensor's name -> weight times gradient.
    """
    slots = [slot for slot in group.slots if slot.tensor in changes]
    readers = [slot for slot in slots if not slot.producer]
    total = torch.zeros(group.units)
    for slot in readers or slots:
        line = changes[slot.tensor].movedim(slot.dim, 0).flatten(1).sum(1).cpu().float()
        own = slot.units >= 0
        total.index_add_(0, slot.units[own], line[own])
    return total


def activation_sums(watched: Watched, inputs: Tensor, layers: Mapping[str, Layer]) -> Sums:
    sums: Sums = {}

    def add(layer: str, what: str, values: Tensor) -> None:
        sums[layer, what] = sums[layer, what] + values if (layer, what) in sums else values

    def on_input(layer: str, values: Tensor) -> None:
        add(layer, "input", _input_squares(layers[layer], values))

    def on_activation(layer: str, values: Tensor) -> None:
        values, around = values.double(), [d for d in range(values.dim()) if d != 1]
        add(layer, "count", torch.tensor(values.numel() / values.shape[1], dtype=torch.double))
        add(layer, "positive", (values > 0).double().sum(around))
        add(layer, "magnitude", values.abs().sum(around))

    with torch.no_grad():
        watched.run(inputs, on_input, on_activation)
    return sums


def _input_squares(layer: Layer, values: Tensor) -> Tensor:
    """Return (in,) sum of squares of each input feature over samples and positions; for a token, how often it
    occurred.
    """
    if layer.kind == "embedding":
        return torch.bincount(values.flatten(), minlength=layer.shape[0]).double()
    dim = 1 if layer.kind == "conv" else values.dim() - 1
    return values.double().square().sum([d for d in range(values.dim()) if d != dim])


def map_sums(watched: Watched, inputs: Tensor) -> Sums:
    sums: Sums = {}

    def on_activation(layer: str, values: Tensor) -> None:
        if values.dim() != 4 or min(values.shape[2:]) < 2 or (layer, "ranks") in sums:
            return
        sums[layer, "ranks"] = torch.linalg.matrix_rank(values.float()).double().sum(0)
        sums[layer, "maps"] = torch.tensor(float(len(values)), dtype=torch.double)

    with torch.no_grad():
        watched.run(inputs, silent, on_activation)
    return sums
