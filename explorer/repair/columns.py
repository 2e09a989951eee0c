"""A contraction as one matrix product per group: its inputs become rows, its weight a matrix, its outputs
rows.

For convolutions this is also known as im2col. A transposed convolution is an ordinary one of its inputs with
zeros between them, and with a flipped kernel.
"""

from dataclasses import dataclass
from math import gcd, prod
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Kind = Literal["linear", "matrix", "conv", "transposed"]


@dataclass(frozen=True)
class ProductForm:
    """How a contraction reads its inputs.

    Args:
        kind: "linear" has a weight of (out, in), "matrix" of (in, out), "conv" of
            (out, in / groups, *kernel), "transposed" of (in, out / groups, *kernel).
        kernel, stride, dilation: one number per spatial dimension; () for the first two kinds.
        padding: (before, after) per spatial dimension, of the inputs as they are convolved (see `_spread`).
        groups: of channels.
    """

    kind: Kind
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    padding: tuple[tuple[int, int], ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1


def transposed_padding(
    kernel: tuple[int, ...], padding: tuple[int, ...], dilation: tuple[int, ...], extra: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    """Return the padding of the ordinary convolution that equals a transposed one.

    >>> transposed_padding((3,), (1,), (1,), (1,))
    ((1, 2),)
    """
    reach = [d * (k - 1) - p for k, p, d in zip(kernel, padding, dilation, strict=True)]
    return tuple((r, r + e) for r, e in zip(reach, extra, strict=True))


def same_padding(kernel: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Return the padding that keeps sizes, as torch's "same" does: the larger half of an odd number comes
    after.

    >>> same_padding((3, 4), (1, 1))
    ((1, 1), (1, 2))
    """
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple((t // 2, t - t // 2) for t in total)


def thinning(rows: int, positions: int, wanted: int) -> int:
    """Return the step between the rows to use, so that about `wanted` are used and every position occurs.

    >>> thinning(1000, 64, 2000), thinning(10_000, 64, 1000)
    (1, 9)
    """
    every = max(1, rows // max(1, wanted))
    while gcd(every, positions) > 1:
        every -= 1
    return every


def columns(form: ProductForm, inputs: Tensor, every: int = 1) -> Tensor:
    """Return (groups, rows, n): what each output is a sum over, for every `every`-th output position."""
    if form.kind in ("linear", "matrix"):
        return inputs.reshape(1, -1, inputs.shape[-1])[:, ::every]
    windows = _windows(form, inputs)
    spatial = len(form.kernel)
    around = windows.permute(0, *range(2, 2 + spatial), 1, *range(2 + spatial, 2 + 2 * spatial))
    if every == 1:
        taken = around.reshape(-1, *around.shape[1 + spatial :])
    else:
        flat = torch.arange(0, prod(around.shape[: 1 + spatial]), every, device=inputs.device)
        taken = around[torch.unravel_index(flat, around.shape[: 1 + spatial])]
    return taken.reshape(len(taken), form.groups, -1).transpose(0, 1)


def _windows(form: ProductForm, inputs: Tensor) -> Tensor:
    """Return (n, channels, *positions, *kernel), a view if possible."""
    spread = _spread(inputs, form.stride) if form.kind == "transposed" else inputs
    windows = functional.pad(spread, [side for pair in reversed(form.padding) for side in pair])
    for dim, (k, s, d) in enumerate(zip(form.kernel, form.stride, form.dilation, strict=True)):
        step = 1 if form.kind == "transposed" else s
        windows = windows.unfold(2 + dim, (k - 1) * d + 1, step)[..., ::d]
    return windows


def _spread(inputs: Tensor, stride: tuple[int, ...]) -> Tensor:
    """Insert stride - 1 zeros between neighbours."""
    sizes = [(size - 1) * s + 1 for size, s in zip(inputs.shape[2:], stride, strict=True)]
    spread = inputs.new_zeros(*inputs.shape[:2], *sizes)
    taken = spread
    for dim, step in enumerate(stride):
        taken = taken.unfold(2 + dim, 1, step)[..., 0]
    taken.copy_(inputs)
    return spread


def output_rows(form: ProductForm, outputs: Tensor, every: int = 1) -> Tensor:
    """Return (groups, rows, outputs of a group), in the order of `columns`."""
    last = outputs if form.kind in ("linear", "matrix") else outputs.movedim(1, -1)
    rows = last.reshape(-1, last.shape[-1])[::every]
    return rows.reshape(len(rows), form.groups, -1).transpose(0, 1)


def positions_of(form: ProductForm, outputs: Tensor) -> int:
    """Return the number of output positions of one sample."""
    return prod(outputs.shape[1:-1] if form.kind in ("linear", "matrix") else outputs.shape[2:])


def as_matrix(form: ProductForm, weight: Tensor) -> Tensor:
    """Return the weight as (groups, outputs of a group, n), in the order of `columns`."""
    if form.kind == "matrix":
        weight = weight.t()
    if form.kind != "transposed":
        return weight.reshape(form.groups, len(weight) // form.groups, -1)
    turned = weight.flip(tuple(range(2, weight.dim()))) if form.kernel else weight
    split = turned.reshape(form.groups, len(weight) // form.groups, *weight.shape[1:])
    return split.transpose(1, 2).reshape(form.groups, weight.shape[1], -1)


def as_weight(form: ProductForm, matrix: Tensor, shape: torch.Size) -> Tensor:
    """Return the matrix as a weight of this shape; undoes `as_matrix`."""
    if form.kind == "matrix":
        return matrix[0].t()
    if form.kind != "transposed":
        return matrix.reshape(shape)
    split = matrix.reshape(form.groups, shape[1], shape[0] // form.groups, *shape[2:]).transpose(1, 2)
    return split.reshape(shape).flip(tuple(range(2, len(shape))))
