"""Foreign models are called with one batch of inputs. Where theirs is another way, their own class is led
there.

A module around the model would do, too, but all of its tensors would change their names.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

Forward = Callable[..., Any]


def led(model: nn.Module, way: Callable[[Forward, Tensor], Any]) -> nn.Module:
    """The same model, called in another way; copies of it are too.

    Args:
        way: (its own forward, a batch) -> outputs.
    """
    own: Any = type(model)

    def forward(self: nn.Module, inputs: Tensor) -> Any:
        return way(own.forward.__get__(self), inputs)

    model.__class__ = type(own.__name__, (own,), {"forward": forward, "__module__": own.__module__})
    return model


def one_by_one(forward: Forward, inputs: Tensor) -> Any:
    """For a model that reads one sample at a time: a batch goes through in turns."""
    if len(inputs) == 1:
        return forward(inputs)
    parts = [forward(part) for part in inputs.split(1)]
    return tree_map(lambda *found: torch.cat(found) if isinstance(found[0], Tensor) else found[0], *parts)


def side_by_side(shapes: Sequence[tuple[int, ...]]) -> Callable[[Forward, Tensor], Any]:
    """For a model of several inputs: they lie one after the other in each row of one (n, numbers) batch."""
    sizes = [prod(shape) for shape in shapes]

    def way(forward: Forward, inputs: Tensor) -> Any:
        parts = inputs.split(sizes, 1)
        return forward(*(part.reshape(-1, *shape) for part, shape in zip(parts, shapes, strict=True)))

    return way
