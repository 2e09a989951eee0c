"""Plain data: mappings that cannot change, and JSON with one spelling."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


def frozen(mapping: Mapping) -> Mapping:
    """The mapping in the order of its keys, not to be changed."""
    return MappingProxyType(dict(sorted(mapping.items())))


def canonical_json(value: Any) -> str:
    """One text per value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
