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
# operators that multiply what they read, and add to it, by numbers that do not depend on it
DROPOUTS = frozenset("dropout feature_dropout alpha_dropout feature_alpha_dropout".split())
SLOPES = (1 / 8, 1 / 3, False)  # of rrelu: smallest and largest, and whether they are drawn


def drawing(nodes: Iterable[fx.Node]) -> dict[fx.Node, int]:
    """Return the nodes that give different numbers each time -> their number, the same in a graph and in its
    compacted version: nodes that nothing reads are not copied, so all of them have the number -1.
    """
    every = list(nodes)
    living = carried(every)
    found = [node for node in every if _is_random(node)]
    numbers = {node: number for number, node in enumerate(node for node in found if node in living)}
    return {node: numbers.get(node, -1) for node in found}


def carried(nodes: Iterable[fx.Node]) -> set[fx.Node]:
    """Return the nodes from which something reaches an output, or that write into what does."""
    living: set[fx.Node] = set()
    for node in reversed(list(nodes)):
        if _is_carried(node, living):
            living.add(node)
    return living


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
    if _is_dropout(name, args):
        return _factors(target, args)
    if name.rstrip("_") == "rrelu":
        lower, upper, draws = _slopes(args)
        return torch.empty_like(args[0]).uniform_(lower, upper) if draws else None
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
    if name.rstrip("_") == "rrelu":
        made = torch.where(args[0] >= 0, args[0], args[0] * draw)
        return args[0].copy_(made) if name.endswith("_") else made
    if _is_dropout(name, args):
        made = args[0] * draw[..., 0] + draw[..., 1]
        return args[0].copy_(made) if name.endswith("_") else made
    if name.startswith("bernoulli"):
        chance = args[0] if target._overloadname == "default" else args[1] if len(args) > 1 else 0.5
        draw = (draw < chance).to(args[0].dtype)
    if name == "normal":
        return args[0] + (args[1] if len(args) > 1 else 1.0) * draw
    return args[0].copy_(draw) if name.endswith("_") else draw.clone()


def _is_dropout(name: str, args: Any) -> bool:
    return name.rstrip("_") in DROPOUTS and bool(args[2])


def _factors(target: Any, args: Any) -> Tensor:
    """Return what an operator multiplies by and what it adds, side by side in a last dimension of 2."""
    state = torch.get_rng_state()
    ones = target(torch.ones_like(args[0]), *args[1:])
    torch.set_rng_state(state)
    zeros = target(torch.zeros_like(args[0]), *args[1:])
    return torch.stack((ones - zeros, zeros), -1)


def _slopes(args: Any) -> tuple[float, float, bool]:
    """Return the arguments of rrelu after the first one."""
    given = tuple(args)[1:4]
    lower, upper, draws = given + SLOPES[len(given) :]
    return lower, upper, draws


def _cut(draw: Tensor, value: Any, left: Survivors) -> Tensor:
    """Return the kept positions."""
    if isinstance(value, Labelled):
        for dim, line in left.kept(value).items():
            if len(line) == draw.shape[dim]:
                draw = draw.index_select(dim, line.nonzero().flatten())
    return draw
