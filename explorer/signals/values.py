"""What a criterion may look at: the weights of one layer, and what was collected about it (see
`collecting`).
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..errors import ExplorerError
from ..values.granularity import WEIGHT, Graded
from ..values.profile import Layer
from ..values.subject import Subject


@dataclass(frozen=True, eq=False)
class LayerSignals:
    """One layer as criteria see it.

    What a criterion `needs` decides what is collected; "out" are the layer's outputs, "weight" the weight's
    own shape:

    * "norms": norm_scale (out,), the size of the scale of the norm that follows, NaN if there is none.
    * "neighbours": own_gain, upstream, downstream, each of a shape that multiplies the weight.
    * "flow": flow_order (weight), the position at which synaptic flow would remove each weight.
    * "gradients": gradient (weight), the mean over samples; squared_gradient (weight), the mean of squares;
      the same for a gate on all that reads an output: gate_gradient and squared_gate_gradient, both (out,).
    * "activations": input_norm, of a shape that multiplies the weight; positive_share and mean_magnitude,
      both (out,).
    * "feature_maps": map_rank (out,), NaN if outputs are single numbers; mean_magnitude (out,).

    Args:
        name, kind: of the layer.
        weight: (out, in, *kernel) for convolutions and linears; otherwise the tensor's own layout.
        input_dim: the dimension of the weight for the inputs.
        granularity: what is to be rated; few criteria use it.
        seed: for random choices; `generator()` mixes in the layer's name.
        collected: signal -> tensor.
    """

    name: str
    kind: str
    weight: Tensor
    input_dim: int = 1
    seed: int = 0
    granularity: Graded = WEIGHT
    collected: Mapping[str, Tensor] = field(default_factory=dict)

    def generator(self) -> torch.Generator:
        """Return a generator that differs between layers and repeats between runs."""
        return torch.Generator().manual_seed(
            zlib.crc32(self.name.encode(), self.seed)
        )  # torch reads only the lower 32 bits

    @property
    def rows(self) -> Tensor:
        """Return (out, weights of one output)."""
        return self.weight.movedim(1 - self.input_dim, 0).flatten(1)

    def signal(self, name: str) -> Tensor:
        """Return what was collected under that name.

        Raises:
            ExplorerError: nothing was, since the layer never ran.
        """
        if name not in self.collected:
            why = (
                " inside of a recurrent layer" if self.kind == "recurrent" else ", since this layer never ran"
            )
            unknown = f"The {name.replace('_', ' ')} of {self.name!r} is unknown{why}"
            raise ExplorerError(f"{unknown}; choose a criterion that looks at weights only, such as l1.")
        return self.collected[name]


def layer_signals(
    subject: Subject, layer: Layer, seed: int = 0, collected: Mapping[str, Tensor] | None = None
) -> LayerSignals:
    """Return the signals of one layer.

    Raises:
        ExplorerError: the weights contain NaN or infinity, so nothing can be ranked.
    """
    weight = subject.model.get_parameter(layer.weight).detach().cpu()
    weight = weight.float() if weight.element_size() == 2 else weight  # sums of 16-bit numbers are coarse
    if not bool(torch.isfinite(weight).all()):
        broken = f"The weights of {layer.name!r} hold NaN or infinite values"
        raise ExplorerError(f"{broken}, so they cannot be ranked; load a healthy file.")
    return LayerSignals(layer.name, layer.kind, weight, layer.input_dim, seed, collected=collected or {})
