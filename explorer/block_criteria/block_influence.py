"""How much a block changes what passes through it."""

from ..registry import BLOCK_CRITERIA
from ..signals.block_signals import BlockSignals


@BLOCK_CRITERIA.register(
    "block_influence",
    rank=1,
    needs=("cosine",),
    trap="A block that changes little may still be one that later layers rely on: measure the drop.",
)
def block_influence(block: BlockSignals) -> float:
    """1 minus the cosine between what goes into a block and what comes out, over training inputs (Men et al.
    2024, arXiv:2403.03853).

    The cosine is taken over the channels of each position and averaged over positions and samples.

    >>> block_influence(BlockSignals("layer1.1", cosine=0.75))
    0.25
    """
    assert block.cosine is not None
    return 1 - block.cosine
