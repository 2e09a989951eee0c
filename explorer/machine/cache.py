"""Bounded caches of what is the same for many recipes, and one list of all of them: what they hold, and how
to free it.

Everything in a cache can be computed again from the model and its data, so freeing one only costs time.
"""

import gc
import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import torch

from .memory_held import MemoryUse, together, weighed

USUAL_BYTES = 256 * 2**20


class Cache:
    """A thread-safe cache; beyond its entries or bytes, the least recently used entry is removed first.

    One entry is kept however large it is: it is in use.

    >>> cache = Cache(1)
    >>> cache.put("a", 1), cache.put("b", 2), cache.get("a")
    (1, 2, None)

    Args:
        entries: maximum number.
        name: what it holds, for people; caches with the same name are listed as one.
        max_bytes: of tensors and plain values, with their size at the time of `put`.
        lasting: its entries could not be computed again, so `free` keeps them.
        slow: an entry takes long to compute, so `rest` keeps the last one used.
        growing: values may grow later, so their size is measured again when they are listed.
    """

    def __init__(
        self,
        entries: int,
        name: str = "other results",
        max_bytes: int = USUAL_BYTES,
        *,
        lasting: bool = False,
        growing: bool = False,
        slow: bool = False,
    ):
        self.name, self.max_bytes, self.lasting, self._growing = name, max_bytes, lasting, growing
        self.slow = slow
        self._entries, self._lock = entries, threading.Lock()
        self._values: OrderedDict[Any, Any] = OrderedDict()
        self._weights: dict[Any, MemoryUse] = {}
        with _listing:
            _all.add(self)

    def get(self, key: Any) -> Any:
        """Return the value of a key, or None."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Any, value: Any) -> Any:
        """Keep a value and return it."""
        weight = weighed(value)
        with self._lock:
            self._values[key], self._weights[key] = value, weight
            self._values.move_to_end(key)
            while len(self._values) > self._entries or (len(self._values) > 1 and self._is_full()):
                self._drop_oldest()
        return value

    def _is_full(self) -> bool:
        return sum(weight.bytes for weight in self._weights.values()) > self.max_bytes

    def drop(self, key: Any) -> None:
        """Remove one entry, if it is there."""
        with self._lock:
            self._values.pop(key, None)
            self._weights.pop(key, None)

    def clear(self) -> None:
        """Remove everything."""
        self.keep_newest(0)

    def keep_newest(self, entries: int) -> None:
        """Remove everything but the entries that were used last."""
        with self._lock:
            while len(self._values) > entries:
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        oldest, _ = self._values.popitem(last=False)
        del self._weights[oldest]

    def weights(self) -> list[MemoryUse]:
        """Return the size of each entry."""
        with self._lock:
            values, known = list(self._values.values()), list(self._weights.values())
        return [weighed(value) for value in values] if self._growing else known


_all: "weakref.WeakSet[Cache]" = weakref.WeakSet()
_listing = threading.Lock()


@dataclass(frozen=True)
class Holding:
    """What the caches of one name hold now.

    Args:
        bytes: memory that several caches share counts in each of them.
        lasting: `free` keeps it.
    """

    name: str
    entries: int
    bytes: int
    lasting: bool


def holdings() -> tuple[Holding, ...]:
    """Return all caches that hold something, the largest first."""
    by_name: dict[str, list[Cache]] = {}
    for cache in _caches():
        by_name.setdefault(cache.name, []).append(cache)
    found = [_holding(name, caches) for name, caches in by_name.items()]
    return tuple(sorted((h for h in found if h.entries), key=lambda h: (-h.bytes, h.name)))


def _holding(name: str, caches: list[Cache]) -> Holding:
    weights = [weight for cache in caches for weight in cache.weights()]
    return Holding(name, len(weights), together(weights), all(cache.lasting for cache in caches))


def kept_bytes() -> int:
    """Return the bytes of everything that is kept; memory that several caches share counts once."""
    return together(weight for cache in _caches() for weight in cache.weights())


def free() -> None:
    """Empty every cache but the lasting ones; what is needed again is computed again."""
    for cache in _caches():
        if not cache.lasting:
            cache.clear()
    gc.collect()  # graphs of models contain reference cycles
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def rest() -> None:
    """Empty every cache but the lasting ones; slow ones keep their last entry."""
    for cache in _caches():
        if not cache.lasting:
            cache.keep_newest(1 if cache.slow else 0)


def _caches() -> list[Cache]:
    with _listing:
        return list(_all)
