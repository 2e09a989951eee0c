"""Packs a recipe's data as text for a URL: base64url of the deflated canonical JSON, and back with every
limit checked.
"""

import base64
import binascii
import zlib
from collections.abc import Mapping
from typing import Any

from ..errors import RecipeError
from .plain import canonical_json, read_json

URL_LIMIT = 60_000  # characters; a recipe for 200 layers needs about 2,000
JSON_LIMIT = 1_000_000  # bytes after inflation: a crafted URL must not fill the memory
BROKEN = (
    "The recipe in this link is damaged or cut off; ask for the link again, or start from the dense model."
)


def packed(data: Mapping[str, Any]) -> str:
    """Return plain data as text of letters, digits, "-" and "_"."""
    return (
        base64.urlsafe_b64encode(zlib.compress(canonical_json(dict(data)).encode(), 9)).decode().rstrip("=")
    )


def unpacked(text: str) -> Any:
    """Return the data of a text, which is only known to be JSON.

    Raises:
        RecipeError: the text is damaged, or too long once inflated.
    """
    if len(text) > URL_LIMIT:
        raise RecipeError(BROKEN)
    try:
        deflated = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        inflater = zlib.decompressobj()
        raw = inflater.decompress(deflated, JSON_LIMIT)
        if inflater.unconsumed_tail or inflater.unused_data or not inflater.eof:
            raise RecipeError(BROKEN)
        return read_json(raw)
    except (binascii.Error, zlib.error, ValueError, RecursionError) as error:
        raise RecipeError(BROKEN) from error
