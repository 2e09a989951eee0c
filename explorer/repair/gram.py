"""Running sums of a least-squares problem: samples are added batch by batch and not kept."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Sums:
    """What least squares needs to know about the rows seen so far, for each group of channels, in float64.

    Args:
        rows: how many.
        gram: (groups, n, n) products of inputs.
        cross: (groups, n, out) products of inputs and of what is missing.
        inputs: (groups, n) sums of inputs.
        missing: (groups, out) sums of what is missing.
        squares: (groups, out) squares of what is missing.
        origin: (groups, n) subtracted from the inputs first, so that sums keep their precision; or None.
    """

    rows: int
    gram: Tensor
    cross: Tensor
    inputs: Tensor
    missing: Tensor
    squares: Tensor
    origin: Tensor | None = None

    def __add__(self, other: "Sums") -> "Sums":
        """Add the sums of two sets of rows with the same origin."""
        return Sums(
            self.rows + other.rows,
            self.gram + other.gram,
            self.cross + other.cross,
            self.inputs + other.inputs,
            self.missing + other.missing,
            self.squares + other.squares,
            self.origin,
        )

    def none(self) -> "Sums":
        """Return the sums of no rows."""
        gram, cross, inputs, missing, squares = (
            torch.zeros_like(t) for t in (self.gram, self.cross, self.inputs, self.missing, self.squares)
        )
        return Sums(0, gram, cross, inputs, missing, squares, self.origin)

    def alone(self) -> "Sums":
        """Return the sums without an origin, so that they can be added to others with another one."""
        return replace(self, origin=None)

    def centred(self) -> "Sums":
        """Return the sums of inputs and missing outputs minus their means: the problem with a free bias."""
        n = max(1, self.rows)
        return Sums(
            self.rows,
            self.gram - self.inputs[:, :, None] * self.inputs[:, None] / n,
            self.cross - self.inputs[:, :, None] * self.missing[:, None] / n,
            self.inputs,
            self.missing,
            (self.squares - self.missing.square() / n).clamp(min=0),
            self.origin,
        )

    def error(self, change: Tensor | None = None) -> Tensor:
        """Return (groups, out) squares that are still missing after a change of the weights, (groups, n,
        out).
        """
        if change is None:
            return self.squares
        along = (change * (self.gram @ change)).sum(1)
        return (self.squares - 2 * (change * self.cross).sum(1) + along).clamp(min=0)

    def bias(self, change: Tensor) -> Tensor:
        """Return (groups, out), the change of the bias that belongs to a change of the weights."""
        n = max(1, self.rows)
        means = self.inputs / n if self.origin is None else self.inputs / n + self.origin
        return self.missing / n - torch.einsum("gn,gno->go", means, change)


def sums_of(
    inputs: Tensor, missing: Tensor, origin: Tensor | None = None, dtype: torch.dtype = torch.float32
) -> Sums:
    """Return the sums of one batch.

    Args:
        inputs: (groups, rows, n), or what `columns` returns.
        missing: (groups, rows, out): the wanted outputs minus the current ones.
        origin: (groups, n) subtracted from the inputs; only possible if a bias is free.
        dtype: of the products; they are added up in float64.
    """
    x = (inputs if origin is None else inputs - origin[:, None].to(inputs.dtype)).to(dtype)
    e = missing.to(dtype)
    turned = x.transpose(1, 2)
    return Sums(
        x.shape[1],
        (turned @ x).double(),
        (turned @ e).double(),
        x.sum(1, dtype=torch.double),
        e.sum(1, dtype=torch.double),
        e.double().square().sum(1),
        None if origin is None else origin.double(),
    )
