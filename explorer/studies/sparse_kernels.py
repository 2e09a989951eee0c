"""Zeros in an n:m pattern: what they bring on this device. Only 2:4 on some GPUs has kernels; elsewhere masks
bring no speed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.sparse import to_sparse_semi_structured

from ..engine.candidate import build
from ..graph.analysed import Analysed
from ..machine.environment import environment
from ..measuring.latency import SpeedUp, faster, forward_ms
from ..pruning.decision import masks_for
from ..values.progress import Progress
from ..values.recipe import Recipe

PATTERN = "2:4"
CAPABLE = (8, 0)  # compute capability: Ampere and newer
NO_KERNELS = (
    "Masks alone bring no speed here: dense kernels multiply by the zeros too. Kernels for 2:4 need a CUDA "
    "device of compute "
    "capability 8.0 or newer. To get faster on this device remove channels."
)
NO_PATTERN = (
    "Only the pattern 2:4 has kernels: masks alone bring no speed on dense ones. To get faster "
    "remove channels."
)
NO_LAYERS = (
    "No linear layer is 2:4 sparse with a shape that its kernels take (both sides multiples of 64), "
    "so the zeros bring no speed."
)
PAIRS, WARM_UP = 30, 3


@dataclass(frozen=True)
class SparseSpeed:
    """What 2:4 kernels bring; `speed_up` is None where there are none, and `why` says so in plain words."""

    speed_up: SpeedUp | None
    layers: int
    why: str
    environment: dict[str, Any]


def kernels(device: str) -> bool:
    """This device, and this build of torch, have 2:4 kernels."""
    return device == "cuda" and torch.cuda.is_available() and torch.cuda.get_device_capability() >= CAPABLE


def why_not(recipe: Recipe, device: str) -> str | None:
    """Why the zeros of a recipe bring no speed here, or None if they may.

    >>> why_not(Recipe(weights={"fc": 0.5}), "cpu").split(":")[0]
    'Masks alone bring no speed here'
    """
    if not kernels(device):
        return NO_KERNELS
    return None if recipe.pattern == PATTERN else NO_PATTERN


def sparse_speed(
    model: Analysed, recipe: Recipe, *, batch: int = 64, device: str = "cpu"
) -> Iterator[SparseSpeed | Progress]:
    """Time the 2:4 kernels against dense ones, both in float16, on linear layers of the masked model."""
    where, why = environment(device), why_not(recipe, device)
    if why is not None:
        yield SparseSpeed(None, 0, why, where)
        return
    dense = build(model, masks_for(model, recipe), device).half()
    sparse, count = _sparse(build(model, masks_for(model, recipe), device).half())
    if not count:
        yield SparseSpeed(None, 0, NO_LAYERS, where)
        return
    times: dict[str, list[float]] = {"dense": [], "sparse": []}
    inputs = model.subject.example.half()[torch.arange(batch) % len(model.subject.example)].to(device)
    for turn in range(WARM_UP + PAIRS):
        for name, network in (
            (("dense", dense), ("sparse", sparse)) if turn % 2 else (("sparse", sparse), ("dense", dense))
        ):
            times[name].append(forward_ms(network, inputs, torch.device(device)))
        yield Progress(turn + 1, WARM_UP + PAIRS, "timing 2:4 against dense")
    found = faster(*(times[name][WARM_UP:] for name in ("dense", "sparse")))
    yield SparseSpeed(found, count, f"float16, batch {batch}, 2:4 kernels on {count} linear layers", where)


def fits(weight: Tensor) -> bool:
    """The kernels take this (out, in) weight: two zeros at least in each four inputs, both sides multiples of
    64.

    >>> fits(torch.tensor([0.0, 1.0, 1.0, 0.0]).repeat(64, 16)), fits(torch.ones(64, 64))
    (True, False)
    """
    if any(side % 64 for side in weight.shape):
        return False
    return int((weight.reshape(-1, 4) != 0).sum(1).max()) <= 2


def _sparse(model: nn.Module) -> tuple[nn.Module, int]:
    """The given model with its fitting linear weights in the kernels' format, and how many they are."""
    count = 0
    for layer in model.modules():
        if isinstance(layer, nn.Linear) and fits(layer.weight):
            layer.weight = nn.Parameter(to_sparse_semi_structured(layer.weight.detach()), requires_grad=False)
            count += 1
    return model, count
