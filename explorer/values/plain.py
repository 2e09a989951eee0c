"""Plain data: mappings that cannot change, and JSON with one spelling."""

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


def frozen(mapping: Mapping) -> Mapping:
    """Return the mapping in the order of its keys, immutable."""
    return MappingProxyType(dict(sorted(mapping.items())))


def canonical_json(value: Any) -> str:
    """Return one text for each value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def finite(value: Any) -> Any:
    """Return the value with numbers that JSON lacks (infinity, NaN) as null.

    >>> finite({"loss": float("inf"), "shape": (3, 4)})
    {'loss': None, 'shape': [3, 4]}
    """
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_json(text: str | bytes) -> Any:
    """Return what a JSON text says; one that names a key twice is refused, since one of both would be lost.

    Raises:
        ValueError, RecursionError: it is no JSON, nests too deeply, or names a key twice.

    >>> read_json('{"a": 1, "b": [2]}')
    {'a': 1, 'b': [2]}
    """
    return json.loads(text, object_pairs_hook=_without_doubles)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        raise ValueError("a name is there twice")
    return data
