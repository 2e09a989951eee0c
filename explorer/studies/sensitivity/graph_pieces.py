"""Stretches of a model's graph that run by themselves, dense or pruned, and the branch of one part, built
from them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, fx, nn

from ...compaction.compact import Builder, boundary
from ...graph.analysed import Analysed
from ...graph.detours import Detour, batch_kind, can_be_stacked, can_start_anywhere
from ...graph.program import Shaped, output_of
from ...measuring.memory_layout import laid_out
from ...values.profile import Masks

DENSE = Masks({}, {})
MAC_S, ELEMENT_S, NODE_S = (
    3e-11,
    1.5e-9,
    1e-7,
)  # fitted to three small networks on one slow core, within a factor of 1.5
NEAR_TIE = 1e-4  # of the largest logit; stacked and single runs differ by about 1e-6

Values = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Piece:
    """Some nodes of the graph as a module, with the names of the values that it reads and returns."""

    module: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def run(self, values: Mapping[str, Any]) -> Values:
        return dict(zip(self.outputs, self.module(*(values[name] for name in self.inputs)), strict=True))


class Workshop:
    """Builds pieces of one subject for a device; what a cut does not change is shared between all pieces."""

    def __init__(self, model: Analysed, device: str):
        assert model.graph.program is not None
        self.model, self.device = model, device
        own: dict[str, Tensor] = {
            **model.subject.model.state_dict(keep_vars=True),
            **dict(model.subject.model.named_buffers()),
        }
        own |= {
            name: t
            for name, t in model.graph.program.constants.items()
            if isinstance(t, Tensor) and name not in own
        }
        images = any(p.dim() == 4 for p in model.subject.model.parameters())
        self._state = {name: _placed(tensor.detach(), device, images) for name, tensor in own.items()}
        self.tensor_names = Builder(model, DENSE).names
        self.can_start_anywhere = can_start_anywhere(model.graph)

    def piece(self, nodes: Sequence[fx.Node], outputs: Sequence[fx.Node], masks: Masks = DENSE) -> Piece:
        """Return these nodes, as they are in the model cut by the masks."""
        inputs = boundary(nodes, self.tensor_names)
        with torch.inference_mode(False):
            builder = Builder(self.model, masks, self._state, share=True)
            in_place = not self.can_start_anywhere
            part = builder.build_part(nodes, outputs, in_place=in_place, device=self.device)
            module = laid_out(part, self.device)
        return Piece(module, tuple(n.name for n in inputs), tuple(n.name for n in outputs))


def _placed(tensor: Tensor, device: str, images: bool) -> Tensor:
    moved = tensor.to(device)
    return moved.contiguous(memory_format=torch.channels_last) if images and moved.dim() == 4 else moved


class Branch:
    """The detour of one part, ready to run."""

    def __init__(self, workshop: Workshop, path: Detour):
        self._workshop, self.path = workshop, path
        names = workshop.tensor_names
        self.inputs = tuple(dict.fromkeys((*boundary(path.head, names), *self._tail_inputs)))
        self.reaches_output = path.output in path.head or path.output in path.tail
        self._stackable = can_be_stacked(path, self._tail_inputs)
        self._checked = False

    @property
    def _tail_inputs(self) -> tuple[fx.Node, ...]:
        """Return the dense values that the tail reads besides the joints."""
        joints = set(self.path.joints)
        return tuple(n for n in boundary(self.path.tail, self._workshop.tensor_names) if n not in joints)

    def head(self, masks: Masks) -> Piece:
        return self._workshop.piece(self.path.head, self.path.joints, masks)

    @cached_property
    def _tail(self) -> Piece:
        return self._workshop.piece(self.path.tail, (self.path.output,))

    @cached_property
    def seconds(self) -> float:
        """Return the approximate time of one sample on this detour, dense, on one slow core: fixed, so that
        portions are always the same.
        """
        assert self._workshop.model.graph.coupling is not None
        macs, nodes = self._workshop.model.graph.coupling.macs, (*self.path.head, *self.path.tail)
        return sum(macs.get(node.name, 0) * MAC_S + _elements(node) * ELEMENT_S for node in nodes) + NODE_S

    def run(self, heads: Sequence[Piece], values: Values) -> list[Tensor]:
        """Return the logits (n, classes) of each head, from the dense values of one batch."""
        joints = [head.run(self._given(values)) for head in heads]
        if len(heads) == 1 or not self._stackable:
            return [self._single(own, values) for own in joints]
        logits = self._stacked(joints, values)
        if not self._checked:
            self._checked = True
            self._stackable = _alike(logits[0], self._single(joints[0], values))
            if not self._stackable:
                return [self._single(own, values) for own in joints]
        return [
            self._single(own, values) if _near_tie(found) else found
            for own, found in zip(joints, logits, strict=True)
        ]

    def _given(self, values: Values) -> Values:
        """Return what a head may read; copies if operators write into their inputs."""
        if self._workshop.can_start_anywhere:
            return values
        return {name: value.clone() if isinstance(value, Tensor) else value for name, value in values.items()}

    def _single(self, joints: Values, values: Values) -> Tensor:
        output = self.path.output.name
        return joints[output] if output in joints else self._tail.run({**values, **joints})[output]

    def _stacked(self, joints: Sequence[Values], values: Values) -> Sequence[Tensor]:
        times = len(joints)
        beside = {n.name: _repeated(values[n.name], batch_kind(n), times) for n in self._tail_inputs}
        together = {name: torch.cat([own[name] for own in joints]) for name in joints[0]}
        return self._tail.run({**beside, **together})[self.path.output.name].chunk(times)


def _repeated(value: Any, kind: str | None, times: int) -> Any:
    if kind == "batched":
        return torch.cat([value] * times)
    return value * times if kind == "count" else value


def _alike(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool((a - b).abs().max() <= 1e-3 * b.abs().max() + 1e-6)


def _near_tie(logits: Tensor) -> bool:
    """Whether in some row the two largest are so close that a larger batch's rounding may have swapped
    them.
    """
    best = logits.float().topk(min(2, logits.shape[1]), 1).values
    return bool((best[:, 0] - best[:, -1] <= NEAR_TIE * logits.abs().amax(1)).any())


def _elements(node: fx.Node) -> int:
    """Return how many numbers a node outputs for one sample."""
    value = output_of(node)
    return math.prod(n for n in value.shape if isinstance(n, int)) if isinstance(value, Shaped) else 0
