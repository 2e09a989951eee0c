"""Least squares with a fixed mask: weights that are zero stay zero, and the remaining ones compensate for
them.
"""

import torch
from torch import Tensor

from .gram import Sums
from .ridge import damped, solved

# multiply-adds up to which every row of a layer is solved separately
EXACT_WORK = 1e9
BLOCK = 128  # columns that are processed at a time


def exact_work(mask: Tensor) -> float:
    """Return the multiply-adds of one solution per row: a third of the cube of the number of remaining
    weights.
    """
    return float((mask.sum(-1).double() ** 3 / 3).sum())


def masked_change(sums: Sums, weight: Tensor, mask: Tensor, strength: float) -> Tensor:
    """Return (groups, n, out): the change of the remaining weights; zero at the others.

    Exact for small layers; otherwise column by column in the order of SparseGPT (Frantar and Alistarh 2023,
    arXiv:2301.00774), and rows that this does not improve are not changed.

    Args:
        weight: (groups, out, n), zero outside the mask.
        mask: (groups, out, n) bool, True = kept.
    """
    if exact_work(mask) <= EXACT_WORK:
        return exact(sums, mask, strength)
    free = solved(sums, strength)
    gram = damped(sums.gram, strength)
    whole = weight.double() + free.transpose(1, 2)
    swept = torch.stack([column_by_column(*group) for group in zip(whole, mask, gram, strict=True)])
    change = (swept - weight.double()).transpose(1, 2)
    better = sums.error(change) <= sums.error()
    return change * better[:, None]


def exact(sums: Sums, mask: Tensor, strength: float) -> Tensor:
    """Return (groups, n, out): each row solved over its remaining weights."""
    gram, change = damped(sums.gram, strength), torch.zeros_like(sums.cross)
    for group in range(len(mask)):
        for row in range(mask.shape[1]):
            own = mask[group, row].nonzero().flatten()
            part = gram[group].index_select(0, own).index_select(1, own)
            factor = torch.linalg.cholesky(part)
            right = sums.cross[group, own, row]
            change[group, own, row] = torch.cholesky_solve(right[:, None], factor)[:, 0]
    return change


def column_by_column(weight: Tensor, mask: Tensor, gram: Tensor) -> Tensor:
    """Return (out, n): weights are set to zero from the first column to the last; the columns after each
    compensate for it.

    Args:
        weight: (out, n) what would be best if nothing had to be zero.
        gram: (n, n) positive definite.
    """
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
    upper = torch.linalg.cholesky(inverse, upper=True)
    left = weight.clone()
    for start in range(0, weight.shape[1], BLOCK):
        stop = min(start + BLOCK, weight.shape[1])
        faults = torch.zeros_like(left[:, start:stop])
        for at in range(start, stop):
            faults[:, at - start] = torch.where(mask[:, at], 0, left[:, at] / upper[at, at])
            left[:, at:stop] -= faults[:, at - start, None] * upper[at, at:stop]
        left[:, stop:] -= faults @ upper[start:stop, stop:]
    return left * mask
