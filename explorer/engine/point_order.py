"""The order in which points of a curve are measured."""

from collections.abc import Sequence


def spread_order(strengths: Sequence[float]) -> list[float]:
    """Return the ends first, then the middles of the widest gaps, so that each further point is the most
    informative.

    >>> spread_order([0, 0.25, 0.5, 0.75, 1])
    [0, 1, 0.5, 0.25, 0.75]
    """
    left = sorted(strengths)
    order = [left.pop(0), *([left.pop()] if left else [])]
    while left:
        widest = max(left, key=lambda s: (min(abs(s - done) for done in order), -s))
        left.remove(widest)
        order.append(widest)
    return order
