"""Plain data: mappings that cannot change, and JSON with one spelling."""

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


def frozen(mapping: Mapping) -> Mapping:
    """The mapping in the order of its keys, not to be changed."""
    return MappingProxyType(dict(sorted(mapping.items())))


def canonical_json(value: Any) -> str:
    """One text per value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def finite(value: Any) -> Any:
    """The value with what JSON does not know (infinite, not a number) as null.

    >>> finite({"loss": float("inf"), "shape": (3, 4)})
    {'loss': None, 'shape': [3, 4]}
    """
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
