"""A small store of what is the same for many recipes."""

import threading
from collections import OrderedDict
from typing import Any


class Cache:
    """Thread-safe; the entry that was not used for longest goes first.

    >>> cache = Cache(1)
    >>> cache.put("a", 1), cache.put("b", 2), cache.get("a")
    (1, 2, None)
    """

    def __init__(self, entries: int):
        self._entries, self._lock = entries, threading.Lock()
        self._values: OrderedDict[Any, Any] = OrderedDict()

    def get(self, key: Any) -> Any:
        """The value of a key, or None."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Any, value: Any) -> Any:
        """Keep a value; returns it."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._entries:
                self._values.popitem(last=False)
        return value
