"""Finds what decides the behaviour of code: the name for libraries, for all else the bytecode and what it
reads.
"""

import functools
import site
import sys
import sysconfig
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

Kinds = tuple[type, ...]
OPERATORS: Kinds = (types.BuiltinFunctionType, torch._ops.OpOverload, torch._ops.OpOverloadPacket)
PROPERTIES: Kinds = (property, functools.cached_property, functools._lru_cache_wrapper)
BOUND: Kinds = (staticmethod, classmethod, types.MethodType, functools.partial, functools.partialmethod)
FUNCTIONS: Kinds = (types.FunctionType, types.CodeType, torch.jit.ScriptFunction)
CODE: Kinds = (type, types.ModuleType, *FUNCTIONS, *OPERATORS, *BOUND, *PROPERTIES)
INSIDE = ("__func__", "__self__", "func", "args", "keywords", "fget", "fset", "__wrapped__")
OF_EVERY_CLASS = {"__dict__", "__weakref__", "__doc__", "__module__", "__qualname__", "__annotations__"}
OF_EVERY_CLASS |= {
    "__firstlineno__",
    "__static_attributes__",
    "__abstractmethods__",
    "_abc_impl",
    "__slots__",
}
SLOTS = (types.MemberDescriptorType, types.GetSetDescriptorType)


def home(item: Any) -> str:
    """Return the module that an object names as its own."""
    return str(getattr(item, "__module__", None) or "")


@functools.cache
def is_library(module: str) -> bool:
    """Whether a module was installed, rather than written by the user."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top in ("torch", "explorer"):
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    if not file:
        return False
    if {"site-packages", "dist-packages"} & set(Path(file).parts):  # of another environment, by a .pth file
        return True
    installed = [*map(sysconfig.get_path, ("stdlib", "purelib", "platlib")), *site.getsitepackages()]
    return any(Path(file).is_relative_to(path) for path in (*installed, site.getusersitepackages()))


def code_parts(item: Any) -> Iterable[Any]:
    """Return the parts of one of CODE."""
    if isinstance(item, type):
        return _class_parts(item)
    if isinstance(item, types.FunctionType):
        return _function_parts(item)
    if isinstance(item, types.CodeType):
        names = item.co_names, item.co_varnames, item.co_freevars, item.co_cellvars
        return (item.co_code, names, item.co_consts)
    if isinstance(item, torch.jit.ScriptFunction):
        return [item.code]
    if isinstance(item, types.ModuleType):
        return [item.__name__]
    if isinstance(item, OPERATORS):
        return home(item), getattr(item, "__qualname__", None) or str(item)
    return [getattr(item, name) for name in INSIDE if hasattr(item, name)]


def _class_parts(kind: type) -> Iterator[Any]:
    """Return the name of a class from a library, or what any other class contains."""
    yield from (home(kind) if is_library(home(kind)) else "", kind.__qualname__)
    known = getattr(sys.modules.get(home(kind)), kind.__name__, kind)
    if is_library(home(kind)) and known is kind:
        return
    yield kind.__bases__
    own = {name: value for name, value in vars(kind).items() if name not in OF_EVERY_CLASS}
    yield {name: own[name] for name in sorted(own) if not isinstance(own[name], SLOTS)}


def _function_parts(function: types.FunctionType) -> Iterator[Any]:
    """Return defaults and closure; for a function outside libraries also its code and the globals that it may
    read.
    """
    library = is_library(home(function))
    yield from (home(function) if library else "", function.__qualname__)
    yield from (function.__defaults__, function.__kwdefaults__)
    yield [_content(cell) for cell in function.__closure__ or ()]
    if not library:
        yield function.__code__
        yield dict(_globals(function))


def _globals(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """Return name -> value of what a function may read; for a module of the user's, only what it may read of
    it.
    """
    names = sorted(_names(function.__code__))
    for name in names:
        value = function.__globals__.get(name)
        yield name, value
        if isinstance(value, types.ModuleType) and not is_library(value.__name__):
            yield from ((f"{name}.{key}", vars(value)[key]) for key in names if key in vars(value))


def _names(code: types.CodeType) -> set[str]:
    """Return the globals and attributes that code may read, including those of its inner functions."""
    inner = (const for const in code.co_consts if isinstance(const, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a name without a value yet
        return None
