"""Which channels a slice takes once some are gone: a slice with a step may need an order written down."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, fx

from .survivors import Survivors


def taken_by(given: Sequence[int], kept: Tensor) -> list[int]:
    """Return the new positions that a slice takes.

    Args:
        given: the positions that it takes before the cut.
        kept: (size,) bool, True = the position is left.
    """
    new = torch.cumsum(kept, 0) - 1  # old position -> new position
    return [int(new[i]) for i in given if kept[i]]


def is_even(taken: Sequence[int]) -> bool:
    """Whether positions are equally far apart, so that a slice can take them."""
    return len({after - before for before, after in pairwise(taken)}) < 2


def stride_order(node: fx.Node, left: Survivors) -> Tensor | None:
    """Return the channels that a slice with a step takes after a cut, if no slice can; otherwise None.

    A selection is a copy and a slice is a view, so where one is written into, the slice stays.
    """
    source = node.args[0]
    if len(node.args) < 5 or not isinstance(source, fx.Node) or _is_written(source):
        return None
    dim, start, stop, step = node.args[1:5]
    value = left.coupling.values[source.name]
    kept = left.kept(value).get(dim % len(value.shape))  # type: ignore[operator, arg-type]
    if kept is None or step == 1:
        return None
    taken = taken_by(range(*slice(start, stop, step).indices(len(kept))), kept)
    return None if is_even(taken) else torch.tensor(taken)


def _is_written(node: fx.Node) -> bool:
    """Whether a later operator writes into a value, itself or through a view."""
    for user in node.users:
        schema = getattr(user.target, "_schema", None)
        if schema is None or (schema.is_mutable and user.args[:1] == (node,)):
            return user.op != "output"
        if any(argument.alias_info for argument in schema.arguments) and _is_written(user):
            return True
    return False
