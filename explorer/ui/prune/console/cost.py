"""What each layer costs, and which faders change it: the table for the browser's estimate while one moves.

A layer with the fraction a of its outputs and b of its inputs left keeps about a b of its weights and a of
its bias (`cost.js`). The real count comes from the smaller model; the estimate replaces it during dragging
and is labelled "about".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from ....values.profile import Group, Layer, ModelProfile

Shares = Mapping[str, float]  # group -> the fraction of a dimension's positions that belong to it


@dataclass(frozen=True)
class LayerCost:
    """The costs of one layer, and the faders that change them.

    Args:
        layer: its name, which is also its weights fader.
        weight: numbers in the weight; other: in bias and the like, which follow the outputs only.
        macs: multiply-adds for one sample.
        outputs, inputs: the groups along the two dimensions of the weight.
        inside: of those, the ones whose units are inside the units of another one -> that one.
    """

    layer: str
    weight: int
    other: int
    macs: int
    outputs: Shares
    inputs: Shares
    inside: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        tables = {"outputs": self.outputs, "inputs": self.inputs, "inside": self.inside}
        return {**vars(self), **{name: dict(table) for name, table in tables.items()}}


def cost_table(profile: ModelProfile) -> tuple[LayerCost, ...]:
    """Return one entry per layer, and one named "" for what belongs to no layer: the products inside
    attention change with its heads.
    """
    layers = tuple(_cost(layer, profile.groups) for layer in profile.layers)
    params = profile.params - sum(layer.params for layer in profile.layers)
    macs = profile.macs - sum(layer.macs for layer in profile.layers)
    heads = [group for group in profile.free_groups.values() if group.is_of_heads]
    attentions = sum(group.inside is None for group in heads)
    share = {group.name: 1 / attentions for group in heads}
    rest = LayerCost("", 0, params, macs, {}, share, _inside(heads))
    return (*layers, rest) if params or macs else layers


def _inside(groups: Iterable[Group]) -> dict[str, str]:
    return {group.name: group.inside for group in groups if group.inside is not None}


def _cost(layer: Layer, groups: Iterable[Group]) -> LayerCost:
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
    found = (group for group in groups if any(group.name in side for side in sides))
    return LayerCost(layer.name, weight, layer.params - weight, layer.macs, *sides, _inside(found))
