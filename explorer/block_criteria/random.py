"""The control that every criterion of blocks must beat."""

import torch

from ..registry import BLOCK_CRITERIA
from ..signals.block_signals import BlockSignals


@BLOCK_CRITERIA.register("random", rank=99, needs=(), trap="One seed is one draw: compare with several.")
def random(block: BlockSignals) -> float:
    """A uniform random number for each block.

    >>> a, b = BlockSignals("a", seed=1), BlockSignals("b", seed=1)
    >>> random(a) == random(a) != random(b)
    True
    """
    return float(torch.rand((), generator=block.generator()))
