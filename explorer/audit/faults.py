"""A smaller model with one fault that was made on purpose: wired wrongly at one place."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from .float64_run import WideRun
from .random_draws import Draws


@dataclass(frozen=True, eq=False)
class Fault(ABC):
    """One tensor of a smaller model that is wrong.

    Args:
        only: the only node for which it is wrong, if several read the tensor; None = all.
    """

    tensor: Tensor
    only: fx.Node | None

    @abstractmethod
    def spoiled(self, right: Tensor) -> Tensor:
        """Return what the tensor is taken for."""

    @contextmanager
    def in_place(self) -> Iterator[None]:
        right = self.tensor.data
        try:
            self.tensor.data = self.spoiled(right)
            yield
        finally:
            self.tensor.data = right


@dataclass(frozen=True, eq=False)
class Swap(Fault):
    """Two positions of a tensor swapped with each other."""

    dim: int
    a: int
    b: int

    def spoiled(self, right: Tensor) -> Tensor:
        order = torch.arange(right.shape[self.dim])
        order[[self.a, self.b]] = order[[self.b, self.a]]
        return right.index_select(self.dim, order)


@dataclass(frozen=True, eq=False)
class Loss(Fault):
    """One position of a tensor lost: zero."""

    dim: int
    at: int

    def spoiled(self, right: Tensor) -> Tensor:
        return right.index_fill(self.dim, torch.tensor([self.at]), 0)


@dataclass(frozen=True, eq=False)
class WrongMask(Fault):
    """The mask of a layer's weights, applied one weight further on."""

    mask: Tensor

    def spoiled(self, right: Tensor) -> Tensor:
        return right * self.mask.flatten().roll(1).view_as(right)


class FaultyRun(WideRun):
    """Runs a smaller model that may have a fault."""

    def __init__(self, model: fx.GraphModule, draws: Draws, awake: bool, fault: Fault | None = None):
        super().__init__(model, draws, awake)
        self._fault = fault

    def run_node(self, n: fx.Node) -> Any:
        if self._fault is None or self._fault.only not in (None, n):
            return super().run_node(n)
        with self._fault.in_place():
            return super().run_node(n)
