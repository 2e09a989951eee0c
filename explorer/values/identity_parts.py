"""What an object consists of, as far as it decides what a model computes: its parts, in a fixed order."""

import re
import sys
import types
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from .code_parts import CODE, code_parts, home, is_library

NUMBERS = (bool, int, float, complex, type(None), type(Ellipsis))
OF_TORCH = (torch.dtype, torch.device, torch.memory_format, torch.layout)
PLAIN: tuple[type, ...] = (*NUMBERS, str, bytes, *OF_TORCH)
NUMBERED = (Tensor, nn.Module, *CODE)
TABLES = ("_parameters", "_buffers", "_modules")
HOOKS = ("_forward_pre_hooks", "_forward_hooks")
OTHER_HOOKS = re.compile(r"_(load_)?state_dict_|_(full_)?backward_|_is_full_|_forward_(pre_)?hooks_")
# where files came from and who wrote them does not change what is computed
ORIGINS = {"_name_or_path", "name_or_path", "transformers_version", "_commit_hash"}
# Python's own modules whose objects only hold values
HOLDERS = {"types", "argparse", "collections", "dataclasses"}
WRITTEN = (fx.GraphModule, torch.jit.ScriptModule)  # their forward was created while the program ran


def numbers(tensor: Tensor) -> bytes | memoryview:
    """Return the numbers of a tensor, or its layout if its numbers cannot be read, as on the meta device."""
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.device.type == "meta" or tensor.layout != torch.strided:
        return f"{tensor.device} {tensor.layout} {tensor.to_dense() if tensor.is_sparse else ''}".encode()
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data


def parts_of(item: Any) -> Iterable[Any]:
    """Return the parts of an object that is neither a plain value nor a set."""
    if isinstance(item, Tensor):
        return (*item.shape, item.dtype, numbers(item))
    if isinstance(item, np.ndarray | np.generic):
        return str(item.dtype), item.shape, item.tolist() if item.dtype.hasobject else item.tobytes()
    if isinstance(item, Mapping):
        return [part for pair in item.items() for part in pair]
    if isinstance(item, list | tuple | deque):
        return list(item)
    if isinstance(item, Enum | torch.Generator | re.Pattern):
        return [_value(item)]
    if isinstance(item, nn.Module):
        return _module_parts(item)
    return code_parts(item) if isinstance(item, CODE) else _object_parts(item)


def _value(item: Any) -> Any:
    if isinstance(item, torch.Generator):
        return item.get_state()
    return item.name if isinstance(item, Enum) else item.pattern


def _module_parts(module: nn.Module) -> Iterator[Any]:
    """Return class, tensors, children, hooks and attributes."""
    yield type(module)
    held = vars(module)
    yield from (dict(getattr(module, name).items()) for name in TABLES)
    yield from (list(held.get(name, {}).values()) for name in HOOKS)
    if isinstance(module, torch.jit.ScriptModule):
        code, constants = module.code_with_constants
        yield from (code, constants.const_mapping)
    elif isinstance(module, fx.GraphModule):
        yield str(module.code)
    if isinstance(module, WRITTEN):
        return
    skipped = (*TABLES, *HOOKS, *(name for name in held if OTHER_HOOKS.match(name)))
    yield _named({name: value for name, value in held.items() if name not in skipped})


def _object_parts(item: Any) -> Iterator[Any]:
    """Return class and attributes; for a library's object only plain values, since it may refer to half of a
    program.
    """
    kind, held = type(item), dict(getattr(item, "__dict__", {}))
    yield kind
    for slots in (getattr(base, "__slots__", ()) for base in kind.__mro__):
        names = (slots,) if isinstance(slots, str) else slots
        held |= {name: getattr(item, name) for name in names if hasattr(item, name)}
    if home(kind).partition(".")[0] in sys.stdlib_module_names - HOLDERS:
        return
    library = is_library(home(kind))
    yield _named({name: value for name, value in held.items() if not library or _is_plain(value)})


def _named(held: Mapping[str, Any]) -> dict[str, Any]:
    return {name: held[name] for name in sorted(held.keys() - ORIGINS)}


def _is_plain(value: Any, depth: int = 4) -> bool:
    """Whether it is a plain value, or a container of them."""
    if isinstance(value, Mapping):
        return depth > 0 and all(_is_plain(item, depth - 1) for pair in value.items() for item in pair)
    if isinstance(value, list | tuple | set | frozenset):
        return depth > 0 and all(_is_plain(item, depth - 1) for item in value)
    plain = (*PLAIN, Tensor, np.ndarray, np.generic, Enum, types.SimpleNamespace)
    return isinstance(value, plain)
