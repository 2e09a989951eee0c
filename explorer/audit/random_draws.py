"""Models that draw random numbers in their forward: the smaller model gets those of the masked one, as far as
its channels are left.

What a draw depends on is still computed by each of the two, so a wrong wiring in front of it shows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

from ..graph.labels import Labelled
from ..graph.nodes import op_name
from ..graph.survivors import Survivors

SHAPED = frozenset(
    "rand randn randint rand_like randn_like randint_like uniform_ normal_ exponential_ cauchy_ log_normal_ "
    "geometric_ random_".split()
)  # operators that read no more than a shape
DROPOUTS = frozenset(("dropout", "feature_dropout"))


def is_random(target: Any) -> bool:
    """An operator that gives other numbers each time."""
    return isinstance(target, torch._ops.OpOverload) and torch.Tag.nondeterministic_seeded in target.tags


@dataclass(eq=False)
class Draws:
    """The random numbers of one run, in the order of the graph; None = drawn again from the same seed."""

    kept: list[Tensor | None] = field(default_factory=list)

    def record(self, node: fx.Node, args: Any, kwargs: Any, left: Survivors) -> Any:
        """The value of a random node of the dense graph; what is left of its draw is kept."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(len(self.kept))
            draw = _draw(node.target, args, kwargs)
            made = _applied(node.target, args, kwargs, draw)
        value = left.coupling.values.get(node.name)
        self.kept.append(None if draw is None else _cut(draw, value, left))
        return made

    def replay(self) -> "Replay":
        """The same numbers for the smaller model, from the first on."""
        return Replay(enumerate(self.kept))


@dataclass(eq=False)
class Replay:
    """Random numbers that were kept, one after the other."""

    left: Iterator[tuple[int, Tensor | None]]

    def call(self, target: Any, args: Any, kwargs: Any) -> Any:
        """The value of the next random node."""
        number, draw = next(self.left)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(number)
            return _applied(target, args, kwargs, draw)


def _draw(target: Any, args: Any, kwargs: Any) -> Tensor | None:
    """Numbers that depend on no value that the model computed; None where they cannot be told apart."""
    name = op_name(target)
    if name in DROPOUTS and args[2]:
        return target(torch.ones_like(args[0]), *args[1:])
    if name.startswith("bernoulli"):
        return torch.rand_like(args[0])
    if name == "normal" and any(isinstance(item, Tensor) for item in args[:2]):
        return torch.randn(torch.broadcast_shapes(*(t.shape for t in args[:2] if isinstance(t, Tensor))))
    return target(*args, **kwargs).clone() if name in SHAPED else None


def _applied(target: Any, args: Any, kwargs: Any, draw: Tensor | None) -> Any:
    """What the operator gives with these numbers."""
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
    """The positions that stay."""
    if isinstance(value, Labelled):
        for dim, line in left.kept(value).items():
            if len(line) == draw.shape[dim]:
                draw = draw.index_select(dim, line.nonzero().flatten())
    return draw
