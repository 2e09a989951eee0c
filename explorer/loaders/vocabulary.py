"""Finds the largest whole number that a model accepts, by watching where it looks numbers up."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

TABLES = {"embedding": 1, "embedding_bag": 1, "index_select": 0, "__getitem__": 0}  # operand: the table
MOST = 2**24  # a row of several inputs stores whole numbers exactly up to here


class _Lookups(TorchFunctionMode):
    """Records each look-up: (positions that were requested, entries of the table)."""

    def __init__(self) -> None:
        super().__init__()
        self.lookups: list[tuple[Tensor, int]] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(function, "__name__", "")
        if name in TABLES and len(args) > 1:
            self._note(name, args)
        elif name == "one_hot":
            classes = args[1] if len(args) > 1 else (kwargs or {}).get("num_classes", -1)
            if isinstance(classes, int) and classes > 0:
                self._add(args[0], classes)
        return function(*args, **(kwargs or {}))

    def _note(self, name: str, args: Any) -> None:
        table = args[TABLES[name]]
        dim = args[1] if name == "index_select" else 0
        places = args[2] if name == "index_select" and len(args) > 2 else args[1 - TABLES[name]]
        if isinstance(table, Tensor) and isinstance(dim, int) and -table.dim() <= dim < table.dim():
            self._add(places, table.shape[dim])

    def _add(self, places: Any, entries: int) -> None:
        if isinstance(places, Tensor) and places.dtype in (torch.int64, torch.int32):
            self.lookups.append((places.detach().clone(), entries))


def numbers_of(run: Callable[[int], Any]) -> int | None:
    """Return how many whole numbers from 0 an input may contain, or None if the model looks nothing up by it.

    Args:
        run: runs the model with that number everywhere in the input.
    Raises:
        anything: the model does not run on zeros and ones.
    """
    seen = []
    for number in (0, 1):
        with _Lookups() as lookups:
            run(number)
        seen.append(lookups.lookups)
    limits = [
        limit
        for (zeros, entries), (ones, _) in zip(*seen, strict=False)
        if zeros.shape == ones.shape and (limit := _limit(zeros, ones, entries)) is not None
    ]
    if not limits:
        return None
    numbers = max(2, min(*limits, MOST))
    while numbers > 2 and not _runs(run, numbers - 1):
        numbers = max(2, numbers // 2)
    return numbers


def _limit(zeros: Tensor, ones: Tensor, entries: int) -> int | None:
    """Return the first number for which a position leaves the table, if positions grow with the number."""
    step = ones.long() - zeros.long()
    grows = step > 0
    if not bool(grows.any()):
        return None
    return int(((entries - 1 - zeros.long()[grows]) // step[grows]).min()) + 1


def _runs(run: Callable[[int], Any], number: int) -> bool:
    try:
        run(number)
    except Exception:  # the border of the user's code
        return False
    return True
