"""Which are the lowest? By selection instead of a sort, and of equal values the earlier, so equal values give
equal choices.
"""

import torch
from torch import Tensor


def lowest_of(values: Tensor, count: int) -> Tensor:
    """(n,) bool: the `count` lowest of (n,) values.

    >>> lowest_of(torch.tensor([2.0, 1.0, 2.0, 2.0]), 2).tolist()
    [True, True, False, False]
    """
    if count < 1:
        return torch.zeros(len(values), dtype=torch.bool, device=values.device)
    threshold = values.kthvalue(count).values
    chosen = values < threshold
    equal = (values == threshold).nonzero().flatten()
    chosen[equal[: count - int(chosen.sum())]] = True
    return chosen
