"""What a model takes: usually one input, or several, each of fractions or of whole numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

FRACTIONS = "float32"


@dataclass(frozen=True)
class InputPart:
    """One input of a model.

    Args:
        name: of the argument of its forward.
        shape: of one sample.
        dtype: "float32", or one of whole numbers, such as "int64", or "bool".
        numbers: how many whole numbers from 0 it accepts, such as words of a vocabulary; None: not known.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = FRACTIONS
    numbers: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it holds whole numbers."""
        return self.dtype != FRACTIONS

    @property
    def torch_dtype(self) -> torch.dtype:
        """Return the dtype of its tensors."""
        dtype: torch.dtype = getattr(torch, self.dtype)
        return dtype

    def drawn(self, samples: int, generator: torch.Generator) -> Tensor:
        """Return (samples, *shape) of random allowed numbers; 0 and 1 if it is not known which are
        allowed.
        """
        size = (samples, *self.shape)
        if not self.is_whole:
            return torch.randn(size, generator=generator)
        return torch.randint(self.numbers or 2, size, generator=generator).to(self.torch_dtype)


def sizes(parts: Sequence[InputPart]) -> list[int]:
    """Return how many numbers of a row belong to each input, if several are side by side in it."""
    return [prod(part.shape) for part in parts]


def in_one_row(inputs: Sequence[Tensor]) -> Tensor:
    """Return (n, numbers) float32 with the (n, *shape) inputs one after the other."""
    return torch.cat([tensor.flatten(1).float() for tensor in inputs], 1)


def from_one_row(row: Tensor, parts: Sequence[InputPart]) -> list[Tensor]:
    """Return the inputs of a row, each with its own shape and type: the inverse of `in_one_row`."""
    pieces = row.split(sizes(parts), 1)
    shaped = [piece.reshape(-1, *part.shape) for piece, part in zip(pieces, parts, strict=True)]
    return [
        piece.to(part.torch_dtype) if part.is_whole else piece
        for piece, part in zip(shaped, parts, strict=True)
    ]
