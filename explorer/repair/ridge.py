"""The change of the weights with the smallest squared error, limited by a ridge.

The ridge pulls towards the present weights, not towards zero: however strong it is, the result is no worse on
its rows than no change at all.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from .gram import Sums

# of the mean square of an input; the held-back samples choose among them
STRENGTHS = (1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
LEAST = 1e-12  # so that inputs that are zero everywhere can be solved for, too


def damped(gram: Tensor, strength: float) -> Tensor:
    """Return (groups, n, n) with the ridge on its diagonal."""
    diagonal = gram.diagonal(dim1=-2, dim2=-1)
    ridge = diagonal.mean(-1, keepdim=True) * strength + LEAST * diagonal.amax().clamp(min=LEAST)
    return gram + torch.diag_embed(ridge.expand_as(diagonal))


def solved(sums: Sums, strength: float) -> Tensor:
    """Return (groups, n, out), the change of the weights.

    A Gram matrix that rounding has made indefinite gets ten times the ridge, until it is not.
    """
    while True:
        factor, failed = torch.linalg.cholesky_ex(damped(sums.gram, strength))
        if not bool(failed.any()):
            return torch.cholesky_solve(sums.cross, factor)
        strength = max(strength, STRENGTHS[0]) * 10


def chosen_strength(fit: Sums, held: Sums, strengths: Sequence[float] = STRENGTHS) -> float | None:
    """Return the ridge whose fit has the smallest error on rows that it has not seen; None if no change is
    better still.

    Strengths are tried from the strongest on, until one has a larger error than the one before it.
    """
    best, least = None, float(held.error().sum())
    for strength in sorted(strengths, reverse=True):
        error = float(held.error(solved(fit, strength)).sum())
        if error >= least:
            break
        best, least = strength, error
    return best


def digits_lost(gram: Tensor, strength: float) -> float:
    """Return how much a relative error of the Gram matrix grows in the solution: its condition number, from
    the smallest pivot and after each input is scaled to the same size.
    """
    matrix = damped(gram, strength)
    scale = matrix.diagonal(dim1=-2, dim2=-1).clamp(min=LEAST).rsqrt()
    factor, failed = torch.linalg.cholesky_ex(scale[:, :, None] * matrix * scale[:, None])
    if bool(failed.any()):
        return float("inf")
    return float(factor.diagonal(dim1=-2, dim2=-1).square().amin().reciprocal())
