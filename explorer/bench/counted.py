"""The multiply-adds of some work, as torch counts them: what bounds its time from below."""

from torch.utils.flop_counter import FlopCounterMode

from .timed_rows import Timeable


def counted_macs(work: Timeable) -> int:
    """Do some work, and return its multiply-adds: convolutions, matrix products and attention, but no
    factorisations.
    """
    counter = FlopCounterMode(display=False)
    with counter:
        work()
    return counter.get_total_flops() // 2
