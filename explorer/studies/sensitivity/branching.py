"""Walks the dense graph once per batch; each part's ratios branch off, so that only what is downstream runs
again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from ...graph.detours import detour, whole, working_nodes
from ...graph.export import ModelGraph
from ...measuring.evaluation import batch_size
from ...pruning.masks import positions
from ...values.granularity import WEIGHT, Graded
from ...values.profile import Masks
from .graph_pieces import Branch, Piece, Values, Workshop

# seconds, on one slow core, of a run that a fader's move has to wait for; a larger one would gain little. A
# GPU does far more
PORTION_S = {"cpu": 0.08, "cuda": 8.0}
LEAST_BATCH = 4  # samples; with fewer, the overhead of a walk would be too large next to its forwards
KEPT_BYTES = (
    2**30
)  # pruned tensors that may be kept between batches; beyond it they are built again for each batch

Found = list[tuple[float, Any]]  # (ratio, its logits, or whatever the model outputs)


class Branches:
    """All parts of one kind on one subject's graph.

    Args:
        touched: part -> (names of the tensors that its pruning changes, its coupled group or None).
        masks_of: (part, ratio) -> its masks.
        most: number of ratios of a part.
    """

    def __init__(
        self,
        workshop: Workshop,
        touched: Mapping[str, tuple[set[str], str | None]],
        masks_of: Callable[[str, float], Masks],
        most: int,
    ):
        graph = workshop.model.graph
        paths = {
            part: detour(graph, *how) if workshop.can_start_anywhere else whole(graph)
            for part, how in touched.items()
        }
        self._branches = {part: Branch(workshop, path) for part, path in paths.items()}
        self._workshop, self._masks_of = workshop, masks_of
        self._heads: dict[tuple[str, float], Piece] = {}
        tensors = workshop.model.subject.model.state_dict().values()
        self._keep_heads = 2 * most * sum(t.nbytes for t in tensors) <= KEPT_BYTES
        self._portion_s = PORTION_S.get(torch.device(workshop.device).type, PORTION_S["cpu"])
        self.batch = self._batch()
        self._plan()

    def _batch(self) -> int:
        """Return the samples of one walk, so few that the longest branch is one portion."""
        longest = max((branch.seconds for branch in self._branches.values()), default=0.0)
        fitting = int(self._portion_s / max(1e-9, longest))
        return min(
            batch_size(self._workshop.device),
            fitting // 16 * 16 if fitting >= 16 else max(LEAST_BATCH, fitting),
        )

    def _plan(self) -> None:
        """Find where each branch leaves the dense graph, and the stretches of the dense graph in between."""
        nodes = working_nodes(self._workshop.model.graph)
        place = {node: i for i, node in enumerate(nodes)}
        stops = {
            part: max((place.get(n, -1) for n in b.inputs), default=-1) for part, b in self._branches.items()
        }
        self.stations = [
            (stop, [p for p in stops if stops[p] == stop]) for stop in sorted(set(stops.values()))
        ]
        self._stretches: dict[int, Piece] = {}
        needed_later = _needed(self.stations, self._branches)
        before = -1
        for index, (stop, _) in enumerate(self.stations):
            stretch = nodes[before + 1 : stop + 1]
            beyond = (
                {n for node in nodes[stop + 1 :] for n in node.all_input_nodes}
                if index + 1 < len(self.stations)
                else set()
            )
            outputs = [n for n in stretch if n in beyond or n in needed_later[index]]
            if stretch:
                self._stretches[stop] = self._workshop.piece(stretch, outputs)
            before = stop

    def walk(self, inputs: Tensor, todo: Mapping[str, Sequence[float]]) -> Iterator[tuple[str, Found]]:
        """Run some ratios of some parts on one batch; yields (part, [(ratio, logits)]) as they are computed.

        Logits are None if pruning the part cannot change the output. An empty list [] is yielded after each
        head that had to be built, so that the walk can be stopped there.
        """
        graph = self._workshop.model.graph
        assert graph.program is not None
        values: Values = {graph.program.inputs[0]: inputs}
        last = max((stop for stop, parts in self.stations if any(p in todo for p in parts)), default=-1)
        for index, (stop, parts) in enumerate(self.stations):
            if stop > last:
                return
            self._go_on(index, values)
            for part in parts:
                yield from self._build_heads(part, todo.get(part, ()))
                for ratios in self._portions(part, todo.get(part, ()), len(inputs)):
                    yield part, self._run(part, ratios, values)

    def _go_on(self, index: int, values: Values) -> None:
        """Run the dense stretch up to a station; values that nothing further on reads are released."""
        stop = self.stations[index][0]
        if stop in self._stretches:
            with torch.inference_mode():
                values.update(self._stretches[stop].run(values))
        for name in set(values) - self._read_from(index):
            del values[name]

    def _read_from(self, index: int) -> set[str]:
        """Return the names that this station's branches, later ones and later stretches read."""
        later = [self._stretches[stop] for stop, _ in self.stations[index + 1 :] if stop in self._stretches]
        branches = [self._branches[part] for _, parts in self.stations[index:] for part in parts]
        return {name for piece in later for name in piece.inputs} | {
            n.name for branch in branches for n in branch.inputs
        }

    def _portions(self, part: str, ratios: Sequence[float], samples: int) -> Iterator[Sequence[float]]:
        size = max(1, int(self._portion_s / (samples * self._branches[part].seconds)))
        for start in range(0, len(ratios), size):
            yield ratios[start : start + size]

    def _run(self, part: str, ratios: Sequence[float], values: Values) -> Found:
        branch = self._branches[part]
        if not branch.reaches_output:
            return [(ratio, None) for ratio in ratios]
        with torch.inference_mode():
            heads = [self._head(part, ratio) for ratio in ratios]
            return list(zip(ratios, branch.run(heads, values), strict=True))

    def _build_heads(self, part: str, ratios: Sequence[float]) -> Iterator[tuple[str, Found]]:
        """Build the heads that are to be kept and do not exist yet."""
        for ratio in ratios if self._keep_heads and self._branches[part].reaches_output else ():
            if (part, ratio) not in self._heads:
                self._head(part, ratio)
                yield part, []

    def _head(self, part: str, ratio: float) -> Piece:
        head = self._heads.get((part, ratio))
        if head is None:
            head = self._branches[part].head(self._masks_of(part, ratio))
            if self._keep_heads:
                self._heads[part, ratio] = head
        return head


def _needed(
    stations: Sequence[tuple[int, Sequence[str]]], branches: Mapping[str, Branch]
) -> list[set[fx.Node]]:
    """Return, for each station, the values that its branches and later ones read."""
    needed: set[fx.Node] = set()
    result = []
    for _, parts in reversed(stations):
        needed = needed | {n for part in parts for n in branches[part].inputs}
        result.append(needed)
    return result[::-1]


def touched_tensors(graph: ModelGraph, granularity: Graded) -> dict[str, tuple[set[str], str | None]]:
    """Return, for each part, (tensors that its pruning changes, its coupled group or None), in the order of
    the graph.
    """
    profile = graph.profile
    if granularity == WEIGHT:
        return {name: ({layer.weight}, None) for name, layer in profile.prunable_layers.items()}
    none_kept = {
        name: torch.zeros(group.units, dtype=torch.bool) for name, group in profile.free_groups.items()
    }
    return {name: (set(positions(profile, {name: mask})), name) for name, mask in none_kept.items()}
