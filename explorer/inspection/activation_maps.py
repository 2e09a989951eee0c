"""What a model sees in one sample: the activation of each channel of a layer, and where each attention head
looks.
"""

import math

import torch
from torch import Tensor

from ..graph.analysed import Analysed
from ..graph.running import fixed_batch
from ..signals.watching import silent, watch
from ..values.profile import HEAD, Group, Layer
from .attention import attention, attention_sites


def activation_maps(model: Analysed, layer: Layer, sample: Tensor) -> Tensor | None:
    """Return (out, height, width) activations after the norm and the activation function that follow a layer;
    None if it has no maps.

    Args:
        sample: one input as the model reads it, (*shape) float.
    """
    maps: list[Tensor] = []

    def on_activation(name: str, values: Tensor) -> None:
        if name == layer.name and values.dim() == 4 and not maps:
            maps.append(values[0].detach().cpu().float())

    watched = watch(model)
    with torch.no_grad():
        watched.run(_batch(sample, watched.batch), silent, on_activation)
    return maps[0] if maps else None


def _batch(sample: Tensor, size: int | None) -> Tensor:
    return sample[None].repeat(size or 1, *(1,) * sample.dim())


def head_maps(model: Analysed, group: Group, sample: Tensor) -> Tensor | None:
    """Return (heads, height, width): how much attention each patch of a square grid gets from each head,
    averaged over all queries.

    Tokens before the patches, such as a class token, are left out. None if the attention is not available:
    the graph has none that can be read, it works window by window, or its tokens do not form a square.
    """
    sites = attention_sites(model, group)
    if model.graph.program is None or group.unit != HEAD or not sites or sites[0].heads != group.units:
        return None
    inputs = _batch(sample, fixed_batch(model.graph.program))
    probabilities = attention(model, sites[0], inputs)
    if len(probabilities) != len(inputs):
        return None
    looks = probabilities[0].mean(1)  # (heads, tokens)
    side = math.isqrt(looks.shape[1])
    return looks[:, looks.shape[1] - side * side :].reshape(len(looks), side, side) if side > 1 else None


def filter_images(weight: Tensor) -> Tensor | None:
    """Return (out, height, width) grey or (out, height, width, 3) colour, 0 to 1, zero in the middle; None if
    they cannot be shown.

    Args:
        weight: (out, 1 or 3, height, width) of a layer that reads pictures.
    """
    if weight.dim() != 4 or weight.shape[1] not in (1, 3) or max(weight.shape[2:]) < 3:
        return None
    values = weight.detach().float()
    largest = values.abs().flatten(1).amax(1).clamp(min=1e-12).view(-1, 1, 1, 1)
    images = (values / largest / 2 + 0.5).cpu()
    return images[:, 0] if weight.shape[1] == 1 else images.permute(0, 2, 3, 1)
