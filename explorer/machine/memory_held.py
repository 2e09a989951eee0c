"""How many bytes a value holds; tensors that share their memory count once."""

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, is_dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class MemoryUse:
    """The memory of one value: plain bytes, and the memory of its tensors by address, since others may share
    it.
    """

    plain: int
    storages: Mapping[int, int]

    @property
    def bytes(self) -> int:
        return self.plain + sum(self.storages.values())


def together(weights: Iterable[MemoryUse]) -> int:
    """Return the bytes of several values; shared memory counts once.

    >>> shared = torch.zeros(1000)
    >>> together([weighed(shared), weighed(shared)])
    4000
    """
    plain, storages = 0, dict[int, int]()
    for weight in weights:
        plain += weight.plain
        storages.update(weight.storages)
    return plain + sum(storages.values())


def weighed(value: Any) -> MemoryUse:
    """Return the memory of the tensors and plain values in a value.

    Containers, dataclasses, modules and exported programs are searched; of other objects only the shell
    counts.
    """
    plain, storages, left = 0, dict[int, int](), [value]
    seen: dict[int, Any] = {}  # keeps the values, so that none is freed and its id reused
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen[id(value)] = value
        kind: Any = type(value)
        inside = _way_into(kind)
        if inside is _of_tensor:
            _add_storage(value, storages)
            continue
        plain += 0 if inside is _of_module else sys.getsizeof(value, 0)
        if inside is not None:
            left.extend(inside(value))
    return MemoryUse(plain, storages)


def _add_storage(tensor: Tensor, storages: dict[int, int]) -> None:
    # while a model is exported in another thread, stand-ins without memory replace its tensors
    if tensor.layout is not torch.strided or tensor.device.type == "meta" or hasattr(tensor, "fake_mode"):
        return
    with suppress(RuntimeError):  # some tensors have no address
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()


@lru_cache(512)
def _way_into(kind: type) -> Callable[[Any], Iterable[Any]] | None:
    """Return how to look into values of a type, of which there may be a hundred thousand; None: not at
    all.
    """
    if issubclass(kind, Tensor):
        return _of_tensor
    # the look at `keys` first, since the first question of a type whether it is a mapping takes milliseconds
    if hasattr(kind, "keys") and issubclass(kind, Mapping):
        return _of_mapping
    if issubclass(kind, list | tuple | set | frozenset):
        return iter
    if issubclass(kind, nn.Module):
        return _of_module
    return _of_fields if is_dataclass(kind) and kind.__dictoffset__ else None


def _of_tensor(value: Tensor) -> Iterable[Any]:
    return ()


def _of_mapping(value: Mapping[Any, Any]) -> Iterable[Any]:
    return [*value.keys(), *value.values()]


def _of_module(value: nn.Module) -> Iterable[Any]:
    return [*value.parameters(), *value.buffers()]


def _of_fields(value: Any) -> Iterable[Any]:
    return vars(value).values()
