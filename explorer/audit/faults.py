"""A smaller model in which two units are swapped at one place: wired wrongly on purpose."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from .float64_run import WideRun
from .random_draws import Draws


@dataclass(frozen=True, eq=False)
class Swap:
    """Two positions of a tensor swapped with each other.

    Args:
        only: the only node for which they are swapped, if several read the tensor; None = all.
    """

    tensor: Tensor
    dim: int
    a: int
    b: int
    only: fx.Node | None = None

    @contextmanager
    def done(self) -> Iterator[None]:
        order = torch.arange(self.tensor.shape[self.dim])
        order[[self.a, self.b]] = order[[self.b, self.a]]
        original = self.tensor.data
        try:
            self.tensor.data = original.index_select(self.dim, order)
            yield
        finally:
            self.tensor.data = original


class SwappedRun(WideRun):
    """Runs a smaller model in which two positions may be swapped."""

    def __init__(self, model: fx.GraphModule, draws: Draws, awake: bool, swap: Swap | None = None):
        super().__init__(model, draws, awake)
        self._swap = swap

    def run_node(self, n: fx.Node) -> Any:
        if self._swap is None or self._swap.only not in (None, n):
            return super().run_node(n)
        with self._swap.done():
            return super().run_node(n)
