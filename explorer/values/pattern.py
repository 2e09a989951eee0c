"""n:m patterns: what they remove and what they refuse."""

from .profile import Layer
from .recipe import PATTERN


def pattern_ratio(pattern: str) -> float | None:
    """Return the fraction that an n:m pattern removes, or None for the free pattern.

    >>> pattern_ratio("1:4")
    0.75
    """
    match = PATTERN.match(pattern)
    return round(1 - int(match[1]) / int(match[2]), 4) if match else None


def pattern_refusal(layer: Layer, pattern: str) -> str | None:
    """Return why a layer stays dense under an n:m pattern, or None."""
    match = PATTERN.match(pattern)
    inputs = layer.shape[layer.input_dim] if len(layer.shape) > layer.input_dim else 1
    if match is None or inputs % int(match[2]) == 0:
        return None
    return f"its {inputs} input{'s' if inputs > 1 else ''} cannot be divided into blocks of {match[2]}"
