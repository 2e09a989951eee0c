"""What each layer costs, and which faders change it: the table for the browser's estimate while one moves.

A layer with the fraction a of its outputs and b of its inputs left keeps about a b of its weights and a of
its bias; a product keeps what is left of each dimension along which it multiplies (`cost.js`). The real
count comes from the smaller model; the estimate replaces it during dragging and is labelled "about".
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from ....graph.product_sizes import Extent, ProductSizes
from ....values.profile import Group, Layer, ModelProfile

Shares = Mapping[str, float]  # group -> the fraction of a dimension's positions that belong to it
Product = tuple[int, tuple[Shares, ...]]  # multiply-adds, and the groups along each dimension
Products = Mapping[str, tuple[Product, ...]]  # of each layer


@dataclass(frozen=True)
class LayerCost:
    """The costs of one layer, and the faders that change them.

    Args:
        layer: its name, which is also its weights fader.
        weight: numbers in the weight; other: in bias and the like, which follow the outputs only.
        products: multiply-adds for one sample, and the groups along each dimension with which they shrink.
        outputs, inputs: the groups along the two dimensions of the weight.
        inside: of those, the ones whose units are inside the units of another one -> that one.
    """

    layer: str
    weight: int
    other: int
    products: tuple[Product, ...]
    outputs: Shares
    inputs: Shares
    inside: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        tables = {"outputs": self.outputs, "inputs": self.inputs, "inside": self.inside}
        products = [[macs, list(map(dict, sides))] for macs, sides in self.products]
        return {**vars(self), "products": products, **{name: dict(table) for name, table in tables.items()}}


def cost_table(profile: ModelProfile, sizes: ProductSizes | None = None) -> tuple[LayerCost, ...]:
    """Return one entry per layer, and one named "" for what belongs to no layer.

    Args:
        sizes: what each product multiplies; None: a layer multiplies along the dimensions of its weight, and
            the products inside attention along its heads.
    """
    units = {group.name: group.units for group in profile.groups}
    products = None if sizes is None else _products(sizes, units)
    layers = tuple(_cost(layer, profile.groups, products) for layer in profile.layers)
    params = profile.params - sum(layer.params for layer in profile.layers)
    macs = profile.macs - sum(layer.macs for layer in profile.layers)
    heads = [group for group in profile.free_groups.values() if group.is_of_heads]
    attentions = sum(group.inside is None for group in heads)
    share = {group.name: 1 / attentions for group in heads}
    own = ((macs, (share,)),) if products is None else products.get("", ())
    within = _inside(profile.groups, {*share, *(name for side in _sides(own) for name in side)})
    rest = LayerCost("", 0, params, own, {}, share, within)
    return (*layers, rest) if params or macs else layers


def _products(sizes: ProductSizes, units: Mapping[str, int]) -> Products:
    """Return, for each layer, its multiply-adds by the extents that have units."""
    counts: dict[str, Counter[tuple[Extent, ...]]] = {}
    for product in sizes.products:
        shapes = [[sizes.extents[place] for place in shape] for shape in product.shapes]
        for extents in product.formula(shapes):
            with_units = tuple(extent for extent in extents if extent.units)
            counts.setdefault(product.layer, Counter())[with_units] += prod(one.size for one in extents)
    return {
        layer: tuple((macs, tuple(_shares(one, units) for one in extents)) for extents, macs in found.items())
        for layer, found in counts.items()
    }


def _shares(extent: Extent, units: Mapping[str, int]) -> Shares:
    return {name: each * units[name] / extent.size for name, each in extent.units}


def _inside(groups: Iterable[Group], names: Container[str]) -> dict[str, str]:
    """Return which of these groups are inside of which others."""
    return {one.name: one.inside for one in groups if one.inside is not None and one.name in names}


def _cost(layer: Layer, groups: Iterable[Group], products: Products | None) -> LayerCost:
    weight = prod(layer.shape) if layer.shape else 0
    tensors = {layer.weight, f"{layer.name}.weight", layer.name}
    sides: tuple[dict[str, float], dict[str, float]] = {}, {}
    groups = tuple(groups)
    for group in groups:
        for slot in group.slots if group.frozen is None else ():
            if slot.tensor in tensors and slot.unit_of:
                side = sides[0 if slot.dim == 1 - layer.input_dim else 1]
                side[group.name] = side.get(group.name, 0.0) + sum(unit >= 0 for unit in slot.unit_of) / len(
                    slot.unit_of
                )
    own = ((layer.macs, sides),) if products is None else products.get(layer.name, ())
    names = {name for side in (*sides, *_sides(own)) for name in side}
    return LayerCost(layer.name, weight, layer.params - weight, own, *sides, _inside(groups, names))


def _sides(products: Iterable[Product]) -> Iterator[Shares]:
    return (side for _, sides in products for side in sides)
