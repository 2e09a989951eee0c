"""Keeps torch's compiler out of a process that compiles nothing: its import takes one and a half seconds.

Torch guards modes and many of its own functions against being compiled, and a guard imports the compiler at
its first call. As long as nobody else has imported it, nothing can be compiled, and the guarded function is
called as it is. When the compiler is imported, every guard becomes torch's own again.
"""

import sys
from collections.abc import Iterable
from importlib.abc import MetaPathFinder
from types import CellType, FunctionType
from typing import Any

import torch
from torch.utils import flop_counter

RULES = ("torch._decomp", "torch._meta_registrations", "torch._prims", "torch._refs")  # for shapes
COMPILER = "torch._dynamo"
PLACE = "__dynamo_disable"  # where a guard looks for what it made at its first call
GUARD = getattr(torch._disable_dynamo(lambda: None), "__code__", None)  # of every guard
_opened: list[FunctionType] = []


def open_guard(function: Any) -> None:
    """Let a guarded function, or one around such functions, do without the compiler while that is not
    there.
    """
    _open([function])


def open_guards() -> None:
    """Do this for what is called while a model is counted: torch's counter, and its rules for shapes."""
    counter = getattr(flop_counter, "_FlopCounterMode", None)
    rules = [module for name, module in list(sys.modules.items()) if name.startswith(RULES)]
    values = (value for module in rules for value in list(vars(module).values()))
    _open([getattr(counter, "__torch_dispatch__", None), *values])


def _open(values: Iterable[Any]) -> None:
    if COMPILER in sys.modules:
        return
    waiting, seen = [value for value in values if isinstance(value, FunctionType)], set[int]()
    while waiting:
        function = waiting.pop()
        if id(function) in seen:
            continue
        seen.add(id(function))
        # what a decorator made has what it decorates in its closure; `__wrapped__` may be something else
        around = [cell.cell_contents for cell in function.__closure__ or () if _is_full(cell)]
        inside = [value for value in around if isinstance(value, FunctionType)]
        if function.__code__ is GUARD:
            for guarded in inside:
                if PLACE not in vars(guarded):
                    setattr(guarded, PLACE, guarded)
                    _opened.append(guarded)
        waiting += inside


def _is_full(cell: CellType) -> bool:
    """Whether a closure's variable has a value; one may not be set yet."""
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


class _Closing(MetaPathFinder):
    """Finds no module; it only sees that the compiler is about to be imported, and closes the guards."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == COMPILER:
            while _opened:
                vars(_opened.pop()).pop(PLACE, None)


sys.meta_path.insert(0, _Closing())
