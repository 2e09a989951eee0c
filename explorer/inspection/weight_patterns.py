"""One layer's weight after the cut -> the pattern of its zeros as a picture, and the norm of each filter."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

CORNER = (32, 96)  # rows and columns that are shown weight by weight if the whole is too large for that


@dataclass(frozen=True, eq=False)
class Pattern:
    """Where a weight is not zero.

    Args:
        density: (rows, columns) float32, the fraction of each cell that is not zero. A row is one or more
            outputs; columns are kernel positions one after the other, each with the inputs side by side, like
            n:m blocks.
        block: outputs and columns that a cell represents; (1, 1) shows each weight.
        shape: outputs, kernel positions, inputs.
        sparsity: fraction of zeros of the whole weight.
    """

    density: Tensor
    block: tuple[int, int]
    shape: tuple[int, int, int]
    sparsity: float


def _laid_out(nonzero: Tensor, input_dim: int) -> Tensor:
    """Return a weight as (outputs, kernel positions, inputs)."""
    if nonzero.dim() < 2:
        return nonzero.reshape(-1, 1, 1)
    outputs_first = nonzero if input_dim == 1 else nonzero.transpose(0, 1)
    return outputs_first.flatten(2).transpose(1, 2) if outputs_first.dim() > 2 else outputs_first[:, None]


def pattern(weight: Tensor, input_dim: int = 1, max_side: int = 256) -> Pattern:
    """Return the whole weight, shrunk by whole blocks until both sides fit; cells at the edge are averaged
    over their actual size.

    Args:
        weight: with zeros where something was removed, any shape; inputs are along `input_dim`.
    """
    laid = _laid_out((weight.detach() != 0), input_dim)
    flat = laid.flatten(1).float()
    block = (max(1, math.ceil(flat.shape[0] / max_side)), max(1, math.ceil(flat.shape[1] / max_side)))
    cells = (
        functional.avg_pool2d(flat[None], block, ceil_mode=True, count_include_pad=False)[0]
        if block != (1, 1)
        else flat
    )
    return Pattern(cells.cpu(), block, tuple(laid.shape), 1 - float(flat.double().mean()))  # type: ignore[arg-type]


def corner(weight: Tensor, input_dim: int = 1, size: tuple[int, int] = CORNER) -> Pattern:
    """Return the first outputs and columns, weight by weight."""
    laid = _laid_out((weight.detach() != 0), input_dim)
    cells = laid.flatten(1)[: size[0], : size[1]].float()
    return Pattern(cells.cpu(), (1, 1), tuple(laid.shape), 1 - float(cells.double().mean()))  # type: ignore[arg-type]


@dataclass(frozen=True)
class FilterNorms:
    """(outputs,) l2 norm of each filter, for the dense weight and for what is left of it."""

    before: tuple[float, ...]
    after: tuple[float, ...]


def filter_norms(weight: Tensor, left: Tensor, output_dim: int = 0) -> FilterNorms:
    """Return the norms before and after the cut.

    Args:
        weight: dense. left: the same with zeros where something was removed.
    """

    def norms(tensor):
        return torch.linalg.vector_norm(tensor.detach().movedim(output_dim, 0).flatten(1), dim=1).tolist()

    return FilterNorms(tuple(norms(weight)), tuple(norms(left)))
