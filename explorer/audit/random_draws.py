"""For models that draw random numbers in their forward: the smaller model gets those of the masked one, as
far as its channels are left.

What a draw depends on is still computed by both, so a wrong wiring before it is visible.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

from ..graph.labels import Labelled
from ..graph.nodes import IGNORED, op_name
from ..graph.survivors import Survivors

SHAPED = frozenset(
    "rand randn randint rand_like randn_like randint_like uniform_ normal_ exponential_ cauchy_ log_normal_ "
    "geometric_ random_".split()
)  # operators that read only a shape
DROPOUTS = frozenset(("dropout", "feature_dropout"))


def drawing(nodes: Iterable[fx.Node]) -> dict[fx.Node, int]:
    """Return the nodes that give different numbers each time -> their number, the same in a graph and in its
    compacted version: nodes that nothing reads are not copied, so all of them have the number -1.
    """
    living: set[fx.Node] = set()
    carried: list[fx.Node] = []
    unread: list[fx.Node] = []
    for node in reversed(list(nodes)):
        is_carried = _is_carried(node, living)
        living |= {node} if is_carried else set()
        if _is_random(node):
            (carried if is_carried else unread).append(node)
    return {node: number for number, node in enumerate(reversed(carried))} | dict.fromkeys(unread, -1)


def _is_carried(node: fx.Node, living: set[fx.Node]) -> bool:
    """Whether a node is in the smaller model too: something reads it, or it writes into its argument."""
    writes = isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable
    is_read = node.op == "output" or writes or not living.isdisjoint(node.users)
    return is_read and op_name(node.target) not in IGNORED


def _is_random(node: fx.Node) -> bool:
    """Whether a node is random. Attention is only if it drops some of its weights."""
    target = node.target
    if not isinstance(target, torch._ops.OpOverload) or torch.Tag.nondeterministic_seeded not in target.tags:
        return False
    if op_name(target) != "scaled_dot_product_attention":
        return True
    return bool(node.args[4] if len(node.args) > 4 else node.kwargs.get("dropout_p"))


@contextmanager
def seeded(number: int) -> Iterator[None]:
    """Draw random numbers from a seed; the program's own random state is restored afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(number)
        yield


@dataclass(eq=False)
class Draws:
    """The random numbers of one run, by the number of the node; None = drawn again from the same seed."""

    kept: dict[int, Tensor | None] = field(default_factory=dict)

    def record(self, number: int, node: fx.Node, args: Any, kwargs: Any, left: Survivors) -> Any:
        """Return the value of a random node of the dense graph, and keep the remaining part of its draw."""
        with seeded(number):
            draw = _draw(node.target, args, kwargs)
            made = _applied(node.target, args, kwargs, draw)
        value = left.coupling.values.get(node.name)
        self.kept[number] = None if draw is None else _cut(draw, value, left)
        return made

    def replay(self, number: int, target: Any, args: Any, kwargs: Any) -> Any:
        """Return the value of the node of that number in the smaller model."""
        with seeded(number):
            return _applied(target, args, kwargs, self.kept[number])


def _draw(target: Any, args: Any, kwargs: Any) -> Tensor | None:
    """Return numbers that depend on no value that the model computed, or None if they cannot be separated."""
    name = op_name(target)
    if name in DROPOUTS and args[2]:
        return target(torch.ones_like(args[0]), *args[1:])
    if name.startswith("bernoulli"):
        return torch.rand_like(args[0])
    if name == "normal" and any(isinstance(item, Tensor) for item in args[:2]):
        return torch.randn(torch.broadcast_shapes(*(t.shape for t in args[:2] if isinstance(t, Tensor))))
    return target(*args, **kwargs).clone() if name in SHAPED else None


def _applied(target: Any, args: Any, kwargs: Any, draw: Tensor | None) -> Any:
    """Return the operator's result with these numbers."""
    name = op_name(target)
    if draw is None:
        return target(*args, **kwargs)
    if name in DROPOUTS:
        return args[0] * draw
    if name.startswith("bernoulli"):
        chance = args[0] if target._overloadname == "default" else args[1] if len(args) > 1 else 0.5
        draw = (draw < chance).to(args[0].dtype)
    if name == "normal":
        return args[0] + (args[1] if len(args) > 1 else 1.0) * draw
    return args[0].copy_(draw) if name.endswith("_") else draw.clone()


def _cut(draw: Tensor, value: Any, left: Survivors) -> Tensor:
    """Return the kept positions."""
    if isinstance(value, Labelled):
        for dim, line in left.kept(value).items():
            if len(line) == draw.shape[dim]:
                draw = draw.index_select(dim, line.nonzero().flatten())
    return draw
