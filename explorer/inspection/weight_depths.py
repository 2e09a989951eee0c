"""Bands of weights -> a row for each kind of layer: how large they are from block to block."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..values.stacks import stacked
from .weight_bands import WeightBand


@dataclass(frozen=True)
class KindDepths:
    """The layers of one kind, such as the query projections of all blocks.

    Args:
        kind: its name inside a block. bands: one for each block of the model; None where a block has no such
            layer, or one of zeros only.
    """

    kind: str
    bands: tuple[WeightBand | None, ...]


@dataclass(frozen=True)
class WeightDepths:
    """A model's weights by kind and depth.

    Args:
        blocks: what each is called, from the first to the last. kinds: in the order of the model.
        outside: layers that are in no block of a stack, or of a kind that few blocks have.
    """

    blocks: tuple[str, ...]
    kinds: tuple[KindDepths, ...]
    outside: tuple[str, ...] = ()


def weight_depths(bands: Sequence[WeightBand]) -> WeightDepths | None:
    """Return the bands by kind and depth, or None if the model has no stack of blocks (see `stacked`)."""
    stack = stacked(band.layer for band in bands)
    if not stack.blocks:
        return None
    by_place = {(place.kind, place.block): band for band in bands if (place := stack.places.get(band.layer))}
    kinds = tuple(
        KindDepths(kind, tuple(_filled(by_place.get((kind, block))) for block in stack.blocks))
        for kind in stack.kinds
    )
    outside = tuple(band.layer for band in bands if band.layer not in stack.places)
    return WeightDepths(stack.short_blocks, kinds, outside)


def _filled(band: WeightBand | None) -> WeightBand | None:
    return band if band is not None and band.before else None
