"""Rank correlations between the scores of several criteria, all pairs at once."""

import torch
from torch import Tensor

Matrix = tuple[tuple[float | None, ...], ...]
PAIRS = 1_000_000  # of channels that are compared at once


def ranks(values: Tensor) -> Tensor:
    """Return (n,) float64 ranks from 1 of (n,) values; equal values share their mean rank.

    >>> ranks(torch.tensor([3.0, 1.0, 3.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, group, counts = values.unique(sorted=True, return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    return (last - (counts.double() - 1) / 2)[group]


def row_ranks(rows: Tensor) -> Tensor:
    """Return (rows, n) float64 ranks within each row, as `ranks` does for one.

    >>> row_ranks(torch.tensor([[3.0, 1.0, 3.0], [1.0, 2.0, 3.0]])).tolist()
    [[2.5, 1.0, 2.5], [1.0, 2.0, 3.0]]
    """
    ranked = torch.empty(rows.shape, dtype=torch.double)
    step = max(1, PAIRS // max(1, rows.shape[1] ** 2))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        below = (part[:, None, :] < part[:, :, None]).sum(2)
        equal = (part[:, None, :] == part[:, :, None]).sum(2)
        ranked[start : start + step] = below + (equal + 1) / 2
    return ranked


def spearman(a: Tensor, b: Tensor) -> float | None:
    """Return the correlation of ranks (Spearman 1904), None if one side does not vary.

    >>> round(spearman(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([2.0, 1.0, 4.0, 3.0])), 4)
    0.6
    """
    x, y = (r - r.mean() for r in (ranks(a), ranks(b)))
    scale = float((x.square().sum() * y.square().sum()).sqrt())
    return float((x * y).sum()) / scale if scale else None


def kendalls(scores: Tensor) -> Matrix:
    """Return tau-b of all pairs of criteria from (criteria, units): concordant minus discordant pairs,
    corrected for ties (Kendall 1945), as products of the signs of all differences, a few rows at a time. None
    where a side does not vary.

    >>> round(kendalls(torch.tensor([[1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 4.0, 3.0]]))[0][1], 4)
    0.3333
    """
    scores, units = scores.double(), scores.shape[1]
    total = torch.zeros(len(scores), len(scores), dtype=torch.float64)
    rows = max(1, PAIRS // max(1, units * len(scores)))
    for start in range(0, units, rows):  # a table of all pairs would not fit for wide groups
        signs = (scores[:, start : start + rows, None] - scores[:, None, :]).sign().flatten(1)
        total += signs @ signs.T
    return _normalised(total)


def spearmans(scores: Tensor) -> Matrix:
    """Return the rank correlations of (criteria, units)."""
    centred = torch.stack([r - r.mean() for r in map(ranks, scores)])
    return _normalised(centred @ centred.T)


def _normalised(products: Tensor) -> Matrix:
    """Divide the products of all pairs by the root of each one's product with itself; None if that is
    zero.
    """
    own = products.diagonal()
    scale = (own[:, None] * own[None, :]).sqrt()
    found = (products / scale.clamp_min(1e-300)).clamp(-1, 1).tolist()
    return tuple(
        tuple(value if ok else None for value, ok in zip(*row, strict=True))
        for row in zip(found, (scale > 0).tolist(), strict=True)
    )
