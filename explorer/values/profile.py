"""The analysed model: its layers, its coupled groups, and masks over them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .granularity import CHANNEL, Graded

HEAD, KEY_VALUE_HEAD, QUERY_HEAD = HEADS = ("head", "key-value head", "query head")


@dataclass(frozen=True)
class Layer:
    """One module that has parameters.

    Args:
        name: dotted name of the module.
        kind: conv, linear, recurrent, norm, embedding, attention or other.
        shape: of its weight; () if it has none.
        params: number of parameters, in all tensors of the layer.
        macs: multiply-adds for one sample.
        prunable: its weights can be set to zero (unstructured).
        weight: dotted name of its weight tensor, "" if it has none.
        input_dim: the dimension of the weight for the inputs (n:m blocks run along it).
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    params: int
    macs: int
    prunable: bool
    weight: str = ""
    input_dim: int = 1

    @property
    def output_dim(self) -> int:
        """Return the dimension of the weight for the outputs."""
        return 1 - self.input_dim


@dataclass(frozen=True)
class Slot:
    """A dimension of a tensor that has the units of a group.

    Args:
        tensor: dotted name of the parameter or buffer.
        dim: dimension.
        unit_of: the unit at each position along the dimension, or -1 if it belongs to another group.
        producer: the units are produced here (a layer's outputs), not read.
    """

    tensor: str
    dim: int
    unit_of: tuple[int, ...]
    producer: bool = False

    @cached_property
    def units(self) -> Tensor:
        """Return `unit_of` as a tensor, (size,) int64."""
        return torch.tensor(self.unit_of)


@dataclass(frozen=True)
class Group:
    """Channels that must be removed together: one fader.

    Args:
        name: of the first layer that produces the units.
        units: number of units, each removed as a whole (a channel, a whole attention head).
        slots: every place that has the units.
        members: layers that it touches, in the order of the graph.
        tied_by: why they are tied, in plain words.
        frozen: why it cannot be pruned, or None.
        unit: what one unit is: a channel, an attention head; where queries share keys and values, a key-value
            head with all its query heads, or one query head of every key-value head.
        inside: the group each of whose units contains all of these: query heads are inside key-value heads.
    """

    name: str
    units: int
    slots: tuple[Slot, ...]
    members: tuple[str, ...]
    tied_by: tuple[str, ...] = ()
    frozen: str | None = None
    unit: str = CHANNEL
    inside: str | None = None

    @property
    def is_of_heads(self) -> bool:
        """Whether its units are attention heads of some kind."""
        return self.unit in HEADS


@dataclass(frozen=True)
class Block:
    """A residual branch: what it makes is only added to what it reads.

    Args:
        name: of the module that it is.
        reads: where the value is made that stays without it.
        params, macs: what goes with it.
        tensors: parameters and buffers that only it reads.
        reason: why it cannot be removed, or None.
    """

    name: str
    reads: str
    params: int
    macs: int
    tensors: tuple[str, ...] = ()
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "reads": self.reads,
            "params": self.params,
            "macs": self.macs,
            "removable": self.reason is None,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class ModelProfile:
    """What is known about a model before it is pruned.

    Args:
        layers, groups: in the order of the graph.
        params: all parameters of the model.
        macs: multiply-adds for one sample, counted by torch's flop counter.
        error: why there is no graph (then there are no groups), or None.
        blocks: residual branches, in the order of the graph.
    """

    layers: tuple[Layer, ...]
    groups: tuple[Group, ...]
    params: int
    macs: int
    error: str | None = None
    blocks: tuple[Block, ...] = ()

    @cached_property
    def free_groups(self) -> dict[str, Group]:
        """Return the groups that can be pruned, by name."""
        return {group.name: group for group in self.groups if group.frozen is None}

    @cached_property
    def free_blocks(self) -> dict[str, Block]:
        """Return the blocks that can be removed, by name."""
        return {block.name: block for block in self.blocks if block.reason is None}

    @cached_property
    def whole_layers(self) -> tuple[str, ...]:
        """Return the layers that have a matrix whose single weights cannot be pruned, by name."""
        return tuple(la.name for la in self.layers if len(la.shape) > 1 and not la.prunable)

    @cached_property
    def prunable_layers(self) -> dict[str, Layer]:
        """Return the layers whose weights can be set to zero, by name."""
        return {layer.name: layer for layer in self.layers if layer.prunable}

    def parts(self, granularity: Graded) -> Mapping[str, Group | Layer]:
        """Return the parts that have ratios under a granularity and can be pruned, by name."""
        return self.free_groups if granularity == CHANNEL else self.prunable_layers


Scores = Mapping[str, Tensor]  # part -> saliency: (units,) of a group, the weight's shape of a layer


@dataclass(frozen=True, eq=False)
class Saliencies:
    """What a criterion thinks of a model.

    Args:
        channels: coupled group -> (units,).
        weights: layer -> the weight's shape; empty if the criterion rates outputs alone.
    """

    channels: Scores
    weights: Scores

    def of(self, granularity: Graded) -> Scores:
        """Return the parts that have ratios under a granularity."""
        return self.channels if granularity == CHANNEL else self.weights


@dataclass(frozen=True, eq=False)
class Masks:
    """What is kept: True = kept.

    Args:
        channels: group -> (units,) bool.
        weights: layer -> the weight's full shape, bool; positions of removed channels are False.
        blocks: residual branches that are removed.
    """

    channels: Mapping[str, Tensor]
    weights: Mapping[str, Tensor]
    blocks: tuple[str, ...] = ()
