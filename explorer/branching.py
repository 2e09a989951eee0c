"""One walk over the dense graph a batch, from which each part's ratios branch off: only what lies downstream runs again."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, fx, nn

from .compaction import Builder, boundary
from .engine import laid_out
from .graph.export import ModelGraph
from .graph.reuse import Detour, batch_kind, can_be_stacked, can_start_anywhere, detour, output_node, whole, working_nodes
from .masking import positions
from .values import Masks, Subject

DENSE = Masks({}, {})
STACKED_MACS = {"cpu": 2e9, "cuda": 2e11}  # of one stacked run; beyond it a larger batch gains nothing and delays others
KEPT_BYTES = 2**30  # pruned tensors that may be kept between batches; beyond it they are made again for each batch
NEAR_TIE = 1e-4  # of the largest logit; stacked and single runs differ by some 1e-6

Values = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Piece:
    """Some nodes of the graph as a module, with the names of the values that it reads and makes."""

    module: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def run(self, values: Mapping[str, Any]) -> Values:
        return dict(zip(self.outputs, self.module(*(values[name] for name in self.inputs)), strict=True))


class Workshop:
    """Builds pieces of one subject for a device; what a cut leaves as it was is shared between all pieces."""

    def __init__(self, subject: Subject, graph: ModelGraph, device: str):
        assert graph.program is not None
        self.subject, self.graph, self.device = subject, graph, device
        own: dict[str, Tensor] = {**subject.model.state_dict(keep_vars=True), **dict(subject.model.named_buffers())}
        own |= {name: t for name, t in graph.program.constants.items() if isinstance(t, Tensor) and name not in own}
        images = any(p.dim() == 4 for p in subject.model.parameters())
        self._state = {name: _placed(tensor.detach(), device, images) for name, tensor in own.items()}
        self.tensor_names = Builder(subject, graph, DENSE).names

    def piece(self, nodes: Sequence[fx.Node], outputs: Sequence[fx.Node], masks: Masks = DENSE) -> Piece:
        """These nodes, as they are in the model that the masks leave."""
        module = Builder(self.subject, self.graph, masks, self._state, share=True).build_part(nodes, outputs)
        inputs = boundary(nodes, self.tensor_names)
        return Piece(laid_out(module, self.device), tuple(n.name for n in inputs), tuple(n.name for n in outputs))


def _placed(tensor: Tensor, device: str, images: bool) -> Tensor:
    moved = tensor.to(device)
    return moved.contiguous(memory_format=torch.channels_last) if images and moved.dim() == 4 else moved


class Branch:
    """The detour of one part, ready to run.

    Args:
        group: its coupled group, or None where `tensors` lose single weights.
    """

    def __init__(self, workshop: Workshop, path: Detour):
        self._workshop, self.path = workshop, path
        graph, names = workshop.graph, workshop.tensor_names
        self.inputs = tuple(dict.fromkeys((*boundary(path.head, names), *self._tail_inputs)))
        self.reaches_output = path.output in path.head or path.output in path.tail
        self._stackable = can_be_stacked(path, self._tail_inputs, graph)
        self._checked = False

    @property
    def _tail_inputs(self) -> tuple[fx.Node, ...]:
        """Dense values that the tail reads beside the joints."""
        joints = set(self.path.joints)
        return tuple(n for n in boundary(self.path.tail, self._workshop.tensor_names) if n not in joints)

    def head(self, masks: Masks) -> Piece:
        return self._workshop.piece(self.path.head, self.path.joints, masks)

    @cached_property
    def _tail(self) -> Piece:
        return self._workshop.piece(self.path.tail, (self.path.output,))

    @cached_property
    def macs(self) -> int:
        """Multiply-adds of one sample through the dense tail."""
        assert self._workshop.graph.coupling is not None
        return sum(self._workshop.graph.coupling.macs.get(node.name, 0) for node in self.path.tail)

    def run(self, heads: Sequence[Piece], values: Values) -> list[Tensor]:
        """The logits (n, classes) of each head, from the dense values of one batch."""
        joints = [head.run(values) for head in heads]
        if len(heads) == 1 or not self._stackable:
            return [self._single(own, values) for own in joints]
        logits = self._stacked(joints, values)
        if not self._checked:
            self._checked = True
            self._stackable = _alike(logits[0], self._single(joints[0], values))
            if not self._stackable:
                return [self._single(own, values) for own in joints]
        return [self._single(own, values) if _near_tie(found) else found for own, found in zip(joints, logits, strict=True)]

    def _single(self, joints: Values, values: Values) -> Tensor:
        output = self.path.output.name
        return joints[output] if not self.path.tail else self._tail.run({**values, **joints})[output]

    def _stacked(self, joints: Sequence[Values], values: Values) -> Sequence[Tensor]:
        times = len(joints)
        beside = {n.name: _repeated(values[n.name], batch_kind(n, self._workshop.graph), times) for n in self._tail_inputs}
        together = {name: torch.cat([own[name] for own in joints]) for name in joints[0]}
        return self._tail.run({**beside, **together})[self.path.output.name].chunk(times)


def _repeated(value: Any, kind: str | None, times: int) -> Any:
    if kind == "batched":
        return torch.cat([value] * times)
    return value * times if kind == "count" else value


def _alike(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool((a - b).abs().max() <= 1e-3 * b.abs().max() + 1e-6)


def _near_tie(logits: Tensor) -> bool:
    """In some row the two largest are so close that a larger batch's rounding may have swapped them."""
    best = logits.float().topk(min(2, logits.shape[1]), 1).values
    return bool((best[:, 0] - best[:, -1] <= NEAR_TIE * logits.abs().amax(1)).any())


class Branches:
    """All parts of one kind on one subject's graph.

    Args:
        touched: part -> (names of the tensors that its pruning changes, its coupled group or None).
        masks_of: (part, ratio) -> its masks.
        most: how many ratios a part has.
    """

    def __init__(
        self,
        workshop: Workshop,
        touched: Mapping[str, tuple[set[str], str | None]],
        masks_of: Callable[[str, float], Masks],
        most: int,
    ):
        graph = workshop.graph
        open_anywhere = can_start_anywhere(graph)
        paths = {part: detour(graph, *how) if open_anywhere else whole(graph) for part, how in touched.items()}
        self._branches = {part: Branch(workshop, path) for part, path in paths.items()}
        self._workshop, self._masks_of = workshop, masks_of
        self._heads: dict[tuple[str, float], Piece] = {}
        tensors = workshop.subject.model.state_dict().values()
        self._keep_heads = 2 * most * sum(t.nbytes for t in tensors) <= KEPT_BYTES
        self._plan()

    def _plan(self) -> None:
        """Where each branch leaves the dense graph, and the stretches of the dense graph in between."""
        nodes = working_nodes(self._workshop.graph)
        place = {node: i for i, node in enumerate(nodes)}
        stops = {part: max((place.get(n, -1) for n in b.inputs), default=-1) for part, b in self._branches.items()}
        self.stations = [(stop, [p for p in stops if stops[p] == stop]) for stop in sorted(set(stops.values()))]
        self._stretches: dict[int, Piece] = {}
        needed_later = _needed(self.stations, self._branches)
        before = -1
        for index, (stop, _) in enumerate(self.stations):
            stretch = nodes[before + 1 : stop + 1]
            beyond = {n for node in nodes[stop + 1 :] for n in node.all_input_nodes} if index + 1 < len(self.stations) else set()
            outputs = [n for n in stretch if n in beyond or n in needed_later[index]]
            if stretch:
                self._stretches[stop] = self._workshop.piece(stretch, outputs)
            before = stop

    def walk(self, inputs: Tensor, todo: Mapping[str, Sequence[float]]) -> Iterator[tuple[str, list[tuple[float, Tensor | None]]]]:
        """Run some ratios of some parts on one batch; (part, [(ratio, logits)]) as they come.

        Logits are None where pruning the part cannot change the output.
        """
        graph = self._workshop.graph
        assert graph.program is not None
        values: Values = {graph.program.graph_signature.user_inputs[0]: inputs}
        last = max((stop for stop, parts in self.stations if any(p in todo for p in parts)), default=-1)
        for index, (stop, parts) in enumerate(self.stations):
            if stop > last:
                return
            self._go_on(index, values)
            for part in parts:
                for ratios in self._portions(part, todo.get(part, ()), len(inputs)):
                    yield part, self._run(part, ratios, values)

    def _go_on(self, index: int, values: Values) -> None:
        """The dense stretch up to a station; values that nothing further on reads are let go."""
        stop = self.stations[index][0]
        if stop in self._stretches:
            with torch.inference_mode():
                values.update(self._stretches[stop].run(values))
        for name in set(values) - self._read_from(index):
            del values[name]

    def _read_from(self, index: int) -> set[str]:
        """Names that this station's branches, later ones and later stretches read."""
        later = [self._stretches[stop] for stop, _ in self.stations[index + 1 :] if stop in self._stretches]
        parts = [part for _, here in self.stations[index:] for part in here]
        return {name for piece in later for name in piece.inputs} | {n.name for part in parts for n in self._branches[part].inputs}

    def _portions(self, part: str, ratios: Sequence[float], samples: int) -> Iterator[Sequence[float]]:
        budget = STACKED_MACS.get(self._workshop.device, STACKED_MACS["cpu"])
        size = max(1, int(budget / max(1, samples * self._branches[part].macs)))
        for start in range(0, len(ratios), size):
            yield ratios[start : start + size]

    def _run(self, part: str, ratios: Sequence[float], values: Values) -> list[tuple[float, Tensor | None]]:
        branch = self._branches[part]
        if not branch.reaches_output:
            return [(ratio, None) for ratio in ratios]
        with torch.inference_mode():
            heads = [self._head(part, ratio) for ratio in ratios]
            return list(zip(ratios, branch.run(heads, values), strict=True))

    def _head(self, part: str, ratio: float) -> Piece:
        found = self._heads.get((part, ratio))
        if found is None:
            with torch.inference_mode(False):
                found = self._branches[part].head(self._masks_of(part, ratio))
            if self._keep_heads:
                self._heads[part, ratio] = found
        return found


def _needed(stations: Sequence[tuple[int, Sequence[str]]], branches: Mapping[str, Branch]) -> list[set[fx.Node]]:
    """For each station the values that its branches and later ones read."""
    needed: set[fx.Node] = set()
    result = []
    for _, parts in reversed(stations):
        needed = needed | {n for part in parts for n in branches[part].inputs}
        result.append(needed)
    return result[::-1]


def touched_tensors(graph: ModelGraph, granularity: str) -> dict[str, tuple[set[str], str | None]]:
    """Part -> (tensors that its pruning changes, its coupled group or None), in the order of the graph."""
    profile = graph.profile
    if granularity == "weight":
        return {name: ({layer.weight}, None) for name, layer in profile.prunable_layers.items()}
    none_kept = {name: torch.zeros(group.units, dtype=torch.bool) for name, group in profile.free_groups.items()}
    return {name: (set(positions(profile, {name: mask})), name) for name, mask in none_kept.items()}


