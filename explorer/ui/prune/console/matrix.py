"""Arranges the strips of a deep model as a matrix: a row for each block, a column for each kind of part."""

from collections.abc import Mapping
from typing import Any

from ....values.profile import HEADS
from ....values.stacks import stacked

INSIDE = "#"  # what follows in a name says which units inside a part it has


def matrix_of(units: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the matrix as the browser takes it, or None if the model has no stack of blocks (see `stacked`).

    Args:
        units: part -> what one unit of it is, in the order of the model.
    Returns:
        rows: names of the blocks. columns: what is in each, as two lines. cells: a row for each block, with
        the strips' ids, and None where a block has no such part.
    """
    stack = stacked(units)
    if not stack.blocks:
        return None
    by_place = {(place.block, place.kind): name for name, place in stack.places.items()}
    unit_of = {place.kind: units[name] for name, place in stack.places.items()}
    return {
        "rows": list(stack.short_blocks),
        "columns": [_lines(kind, unit_of[kind]) for kind in stack.kinds],
        "cells": [[by_place.get((block, kind)) for kind in stack.kinds] for block in stack.blocks],
    }


def _lines(kind: str, unit: str) -> list[str]:
    """Return the unit, if it is a head of some kind, and the name.

    >>> _lines("attention.q_proj#queries", "query head"), _lines("mlp.gate_proj", "channel")
    (['query heads', 'attention.q_proj'], ['', 'mlp.gate_proj'])
    """
    return [f"{unit}s" if unit in HEADS else "", kind.partition(INSIDE)[0]]
