"""How many bytes a value holds; tensors that share their memory count once."""

import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, is_dataclass
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
        if isinstance(value, Tensor):
            _add_storage(value, storages)
        else:
            plain += 0 if isinstance(value, nn.Module) else sys.getsizeof(value, 0)
            left.extend(_inside(value))
    return MemoryUse(plain, storages)


def _add_storage(tensor: Tensor, storages: dict[int, int]) -> None:
    # while a model is exported in another thread, stand-ins without memory replace its tensors
    if tensor.layout is not torch.strided or tensor.device.type == "meta" or hasattr(tensor, "fake_mode"):
        return
    with suppress(RuntimeError):  # some tensors have no address
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if isinstance(value, nn.Module):
        return [*value.parameters(), *value.buffers()]
    kept_in_dict = is_dataclass(value) and hasattr(value, "__dict__")
    return vars(value).values() if kept_in_dict and not isinstance(value, type) else ()
