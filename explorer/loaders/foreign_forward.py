"""Makes foreign models callable with one batch of inputs, by changing how their own class is called.

A module around the model would do, too, but it would change the names of all tensors.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from ..values.inputs import from_one_row
from .own_inputs import Inputs

Forward = Callable[..., Any]
Way = Callable[[Forward, Tensor], Any]


def led(model: nn.Module, way: Way) -> nn.Module:
    """Return the same model, called in another way; this also holds for its copies.

    Args:
        way: (its own forward, a batch) -> outputs.
    """
    own: Any = type(model)

    def forward(self: nn.Module, inputs: Tensor) -> Any:
        return way(own.forward.__get__(self), inputs)

    model.__class__ = type(own.__name__, (own,), {"forward": forward, "__module__": own.__module__})
    return model


def one_by_one(forward: Forward, inputs: Tensor) -> Any:
    """Run a batch sample by sample, for a model that reads one sample at a time."""
    if len(inputs) == 1:
        return forward(inputs)
    parts = [forward(part) for part in inputs.split(1)]
    return tree_map(lambda *found: torch.cat(found) if isinstance(found[0], Tensor) else found[0], *parts)


def as_taken(inputs: Inputs) -> Way:
    """Return how to call a model that takes whole numbers, keyword arguments or several inputs.

    Several inputs are one after the other in each row of one (n, numbers) batch.
    """
    parts = inputs.parts

    def way(forward: Forward, given: Tensor) -> Any:
        if len(parts) > 1:
            return inputs.call(forward, from_one_row(given, parts))
        return inputs.call(forward, [given.to(parts[0].torch_dtype)])

    return way
