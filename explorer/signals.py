"""What a criterion may look at: the weights of one layer, and what calibration passes collected about it."""

import zlib
from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import ExplorerError
from .values import Layer, Subject


@dataclass(frozen=True, eq=False)
class LayerSignals:
    """One layer as criteria see it.

    Args:
        name, kind: of the layer.
        weight: (out, in, *kernel) for convolutions and linears; the tensor's own layout else.
        input_dim: the dimension of the weight along which inputs lie.
        seed: for random choices; `generator()` mixes in the layer's name.
    """

    name: str
    kind: str
    weight: Tensor
    input_dim: int = 1
    seed: int = 0

    def generator(self) -> torch.Generator:
        """A generator that differs between layers and repeats between runs."""
        return torch.Generator().manual_seed((self.seed << 32) ^ zlib.crc32(self.name.encode()))


def layer_signals(subject: Subject, layer: Layer, seed: int = 0) -> LayerSignals:
    """The signals of one layer that need no data.

    Raises:
        ExplorerError: the weights hold NaN or infinity, so nothing can be ranked.
    """
    weight = subject.model.get_parameter(layer.weight).detach().cpu()
    if not bool(torch.isfinite(weight).all()):
        raise ExplorerError(f"The weights of {layer.name!r} hold NaN or infinite values, so they cannot be ranked; load a healthy file.")
    return LayerSignals(layer.name, layer.kind, weight, layer.input_dim, seed)
