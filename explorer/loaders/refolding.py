"""Combines weights that were stored in pieces into the weights of a plain layer.

`torch.nn.utils.prune` stores a weight and its mask, weight normalisation a length and a direction; a model
without them needs the combined weight.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Fold:
    """One tensor from several in a file.

    Args:
        names: of the pieces, in the order in which `make` takes them.
        make: pieces -> the tensor.
        shaped: the piece that has its shape and type.
    """

    names: tuple[str, ...]
    make: Callable[..., Tensor]
    shaped: str


def masked(original: Tensor, mask: Tensor) -> Tensor:
    """Return what `torch.nn.utils.prune` computes before each forward."""
    return original * mask.to(original.dtype)


def scaled(length: Tensor, direction: Tensor) -> Tensor:
    """Return what weight normalisation computes: the direction scaled to that length, over the dimensions
    that the length lacks.
    """
    sides = [side for side in range(direction.dim()) if length.dim() == 0 or length.shape[side] == 1]
    return direction * (length / torch.linalg.vector_norm(direction, dim=sides, keepdim=True))


# endings of the pieces -> how they are combined, and which of them has the tensor's shape
KINDS: tuple[tuple[tuple[str, ...], Callable[..., Tensor], int], ...] = (
    (("{}_orig", "{}_mask"), masked, 0),
    (("{}_g", "{}_v"), scaled, 1),
    (("parametrizations.{}.original0", "parametrizations.{}.original1"), scaled, 1),
)


def foldings(found: Iterable[str], wanted: Iterable[str]) -> Mapping[str, Fold]:
    """Return the names that a model wants and a file has in pieces -> those pieces."""
    there = set(found)
    return {name: fold for name in wanted if name not in there and (fold := _fold(name, there))}


def pieces_of(name: str) -> set[str]:
    """Return the names that pieces of a tensor may have in a file."""
    layer, dot, last = name.rpartition(".")
    return {f"{layer}{dot}{ending.format(last)}" for endings, _, _ in KINDS for ending in endings}


def _fold(name: str, there: set[str]) -> Fold | None:
    layer, dot, last = name.rpartition(".")
    for endings, make, shaped in KINDS:
        pieces = tuple(f"{layer}{dot}{ending.format(last)}" for ending in endings)
        if all(piece in there for piece in pieces):
            return Fold(pieces, make, pieces[shaped])
    return None
