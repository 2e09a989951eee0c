"""The number format of a model of transformers: float32, or that of its files if it is large."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import LoadError
from .foreign_forward import Forward, Way
from .foreign_model import check_size

SHORT = (torch.bfloat16, torch.float16)


def number_format(make: Callable[[torch.dtype], nn.Module], config: Any, name: str) -> torch.dtype:
    """Return float32; or the 16-bit format that the configuration names, for a model that is too large in
    float32: its files are then mapped, and their pages read when they are needed.

    Args:
        make: builds the model in a format; called where weights take no memory.
    Raises:
        LoadError: it is too large.
    """
    stored = getattr(config, "dtype", None)  # transformers writes the format of each building into it
    try:
        check_size(lambda: make(torch.float32), name)
    except LoadError:
        if stored not in SHORT:
            raise
        check_size(lambda: make(stored), name)
        return stored
    return torch.float32


def in_float32(way: Way, dtype: torch.dtype, *, of_pictures: bool = False) -> Way:
    """Return how a model is called such that it answers in float32, in which its answers are judged.

    Args:
        of_pictures: its inputs are fractions, which it reads in its own format.
    """
    if dtype == torch.float32:
        return way

    def answer(forward: Forward, inputs: Tensor) -> Any:
        return way(forward, inputs.to(dtype) if of_pictures else inputs).float()

    return answer
