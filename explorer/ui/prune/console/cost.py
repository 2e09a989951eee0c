"""Parameters and MACs of a recipe by a formula: the browser's estimate while a fader moves, and its Python
twin.

A layer with the fraction a of its outputs and b of its inputs left keeps about a b of its weights and a of
its bias. The real count comes from the smaller model; this estimate replaces it during dragging and is
labelled "about".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
    """

    layer: str
    weight: int
    other: int
    macs: int
    outputs: Shares
    inputs: Shares

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "outputs": dict(self.outputs), "inputs": dict(self.inputs)}


@dataclass(frozen=True)
class Estimate:
    """Approximately what is left: all parameters, those that aren't zero, multiply-adds for one sample on
    dense hardware.
    """

    params: float
    nonzero_params: float
    macs: float


def cost_table(profile: ModelProfile) -> tuple[LayerCost, ...]:
    """Return one entry per layer, and one named "" for what belongs to no layer: the products inside
    attention change with its heads.
    """
    layers = tuple(_cost(layer, profile.groups) for layer in profile.layers)
    params = profile.params - sum(layer.params for layer in profile.layers)
    macs = profile.macs - sum(layer.macs for layer in profile.layers)
    heads = [group.name for group in profile.free_groups.values() if group.unit == "head"]
    rest = LayerCost("", 0, params, macs, {}, dict.fromkeys(heads, 1 / len(heads)) if heads else {})
    return (*layers, rest) if params or macs else layers


def _cost(layer: Layer, groups: Iterable[Group]) -> LayerCost:
    weight = prod(layer.shape) if layer.shape else 0
    tensors = {layer.weight, f"{layer.name}.weight", layer.name}
    sides: tuple[dict[str, float], dict[str, float]] = {}, {}
    for group in groups:
        for slot in group.slots if group.frozen is None else ():
            if slot.tensor in tensors and slot.unit_of:
                side = sides[0 if slot.dim == 1 - layer.input_dim else 1]
                side[group.name] = side.get(group.name, 0.0) + sum(unit >= 0 for unit in slot.unit_of) / len(
                    slot.unit_of
                )
    return LayerCost(layer.name, weight, layer.params - weight, layer.macs, *sides)


def removed_fraction(ratio: float, units: int) -> float:
    """Return the fraction of `units` that a cut removes: whole units, and never the last one.

    >>> removed_fraction(0.3, 16), removed_fraction(0.99, 4)
    (0.3125, 0.75)
    """
    return min(round(ratio * units), units - 1) / units if units else 0.0


def estimate(
    costs: Iterable[LayerCost],
    units: Mapping[str, int],
    channels: Mapping[str, float],
    weights: Mapping[str, float],
) -> Estimate:
    """Return approximately what a recipe leaves.

    Args:
        units: group -> how many units it has.
        channels, weights: the maps of the recipe.
    """
    removed = {
        group: removed_fraction(ratio, units[group]) for group, ratio in channels.items() if group in units
    }
    params = nonzero = macs = 0.0
    for cost in costs:
        out, into = (
            1 - sum(share * removed.get(group, 0.0) for group, share in side.items())
            for side in (cost.outputs, cost.inputs)
        )
        params += cost.weight * out * into + cost.other * out
        nonzero += cost.weight * out * into * (1 - weights.get(cost.layer, 0.0)) + cost.other * out
        macs += cost.macs * out * into
    return Estimate(params, nonzero, macs)
