"""A comparison in which nothing silences a unit.

A unit that a ReLU holds at zero for all inputs of an audit could be wired to anything. Wiring does not depend
on what is computed in between, so in a second comparison a part of each value passes through such operators,
in the masked model and in the smaller one alike.
"""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, fx

from ..graph.nodes import op_name

SLOPE = 0.1
FLAT = frozenset(
    "relu relu6 hardtanh hardsigmoid hardswish clamp clamp_min clamp_max threshold softshrink hardshrink elu "
    "celu selu gelu silu mish softplus sigmoid tanh floor ceil round trunc sign".split()
)


def may_silence(nodes: Iterable[fx.Node]) -> bool:
    """Whether some operator of a graph maps a range of values to one."""
    return any(_name(node) in FLAT for node in nodes)


def called(node: fx.Node, args: Any, kwargs: Any, awake: bool) -> Any:
    """Return the value of a node.

    Args:
        awake: let a part of each value pass through operators that map a range of values to one.
    """
    target: Any = node.target
    if not awake or _name(node) not in FLAT or not isinstance(args[0], Tensor):
        return target(*args, **kwargs)
    in_place = target._schema.is_mutable
    given = args[0].clone() if in_place else args[0]
    found = target(*args, **kwargs)
    if not isinstance(found, Tensor) or not found.is_floating_point() or found.shape != given.shape:
        return found
    return found.add_(given, alpha=SLOPE) if in_place else found + SLOPE * given


def _name(node: fx.Node) -> str:
    return op_name(node.target).rstrip("_")
