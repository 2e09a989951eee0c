"""What a model takes: one input as a rule, or several, each of fractions or of whole numbers."""

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
        numbers: how many whole numbers from 0 it may hold, such as words of a vocabulary; None: not known.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = FRACTIONS
    numbers: int | None = None

    @property
    def is_whole(self) -> bool:
        """It holds whole numbers."""
        return self.dtype != FRACTIONS

    @property
    def torch_dtype(self) -> torch.dtype:
        """Of its tensors."""
        dtype: torch.dtype = getattr(torch, self.dtype)
        return dtype

    def drawn(self, samples: int, generator: torch.Generator) -> Tensor:
        """(samples, *shape): random numbers that it may hold; 0 and 1 where it is not known which."""
        size = (samples, *self.shape)
        if not self.is_whole:
            return torch.randn(size, generator=generator)
        return torch.randint(self.numbers or 2, size, generator=generator).to(self.torch_dtype)


def sizes(parts: Sequence[InputPart]) -> list[int]:
    """How many numbers of a row belong to each input, where several are side by side in it."""
    return [prod(part.shape) for part in parts]


def in_one_row(inputs: Sequence[Tensor]) -> Tensor:
    """(n, *shape) each -> (n, numbers) float32: one after the other."""
    return torch.cat([tensor.flatten(1).float() for tensor in inputs], 1)


def from_one_row(row: Tensor, parts: Sequence[InputPart]) -> list[Tensor]:
    """The inverse of `in_one_row`: each of its own shape and type."""
    pieces = row.split(sizes(parts), 1)
    shaped = [piece.reshape(-1, *part.shape) for piece, part in zip(pieces, parts, strict=True)]
    return [
        piece.to(part.torch_dtype) if part.is_whole else piece
        for piece, part in zip(shaped, parts, strict=True)
    ]
