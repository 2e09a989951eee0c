"""Finds the lowest values by selection instead of a sort; of equal values the earlier is chosen, so equal
values give equal choices.

Large values are read in pieces, and the threshold is found by counting the digits of their bits, so that no
more memory is needed than for one piece.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

LARGE = 2**20  # values that are worth reading in pieces
PIECE = 2**17  # values that fit a processor's cache
DIGIT = 16  # bits
# bytes of a floating-point number -> integer of the same width
WHOLE = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def lowest_of(values: Tensor, count: int) -> Tensor:
    """Return (n,) bool that marks the `count` lowest of (n,) values.

    >>> lowest_of(torch.tensor([2.0, 1.0, 2.0, 2.0]), 2).tolist()
    [True, True, False, False]
    """
    if count < 1:
        return torch.zeros(len(values), dtype=torch.bool, device=values.device)
    if len(values) <= LARGE or values.device.type != "cpu":
        threshold = values.kthvalue(count).values
    else:
        threshold = kth_lowest(lambda: values.split(PIECE), count, values.dtype)
    chosen = values < threshold
    left = count - int(chosen.sum())
    for start in range(0, len(values), PIECE):  # of those equal to it, the earlier ones
        part = slice(start, start + PIECE)
        equal = (values[part] == threshold).nonzero().flatten()[:left]
        chosen[part][equal] = True
        left -= len(equal)
        if left == 0:
            break
    return chosen


def kth_lowest(read: Callable[[], Iterable[Tensor]], count: int, dtype: torch.dtype) -> Tensor:
    """Return the value at that place (from 1) among all pieces, as `kthvalue` finds it in one tensor.

    The bits of a floating-point number, read as a whole number, have its order except for the sign. So the
    first digit of the wanted value is the one at which the counts of first digits reach its place, and so on.

    >>> parts = [torch.tensor([4.0, -1.0]), torch.tensor([3.0])]
    >>> kth_lowest(lambda: parts, 2, torch.float32)
    tensor(3.)

    Args:
        read: returns the same pieces each time it is called, on the cpu, without NaN.
        dtype: of the pieces, a floating-point type.
    """
    bits = 8 * dtype.itemsize
    lowest = -(2 ** (DIGIT - 1))  # of the possible values of a digit, together with those before it
    for shift in range(bits - DIGIT, -1, -DIGIT):
        counts = torch.zeros(2**DIGIT, dtype=torch.int64)
        for piece in read():
            numbers = _in_order(piece)
            if shift + DIGIT < bits:
                numbers = numbers[numbers >> (shift + DIGIT) == lowest >> DIGIT]
            counts += torch.bincount((numbers >> shift).long() - lowest, minlength=2**DIGIT)
        reached = counts.cumsum(0)
        digit = int(torch.searchsorted(reached, count))
        count -= int(reached[digit] - counts[digit])
        lowest = (lowest + digit) << DIGIT if shift else lowest + digit
    return _in_order(torch.tensor([lowest], dtype=WHOLE[dtype.itemsize]).view(dtype)).view(dtype)[0]


def _in_order(values: Tensor) -> Tensor:
    """Convert (n,) floating-point numbers to (n,) whole numbers of the same width and order; its own
    inverse.
    """
    numbers = values.contiguous().view(WHOLE[values.dtype.itemsize])
    bits = 8 * values.dtype.itemsize
    return numbers ^ ((numbers >> (bits - 1)) & (2 ** (bits - 1) - 1))
