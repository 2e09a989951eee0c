"""The order of samples: seeded and stratified, so that any first part of a split has nearly the class mix of
the whole.
"""

import torch
from torch import Tensor


def stratified_order(targets: Tensor, seed: int) -> Tensor:
    """Return a shuffled order in which every class is spread evenly.

    The k-th sample of a class with n members is placed near the fraction (k + u) / n of the order, u drawn
    once per class, so a folder sorted by class does not begin with one class, and small classes are not used
    up early.

    Args:
        targets: (n,) class numbers.
        seed: of the shuffle.
    Returns:
        (n,) int64, the numbers of the samples in their new order.

    >>> stratified_order(torch.tensor([0, 0, 1, 1]), seed=0).sort().values.tolist()
    [0, 1, 2, 3]
    """
    generator = torch.Generator().manual_seed(seed)
    place = torch.empty(len(targets), dtype=torch.float64)
    sizes = targets.unique(return_counts=True)[1].tolist()
    for members in targets.argsort(stable=True).split(sizes):  # class by class
        members = members[torch.randperm(len(members), generator=generator)]
        offset = torch.rand(1, generator=generator, dtype=torch.float64)
        place[members] = (torch.arange(len(members)) + offset) / len(members)
    return place.argsort(stable=True)
