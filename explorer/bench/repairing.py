"""How long least squares takes: in milliseconds, over one forward of the samples that it looks at, over the
multiply-adds that it needs, and after the last fader was moved once more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..engine.candidate import build
from ..graph.analysed import Analysed
from ..pruning.decision import masks_for
from ..repair.calibration_inputs import LEAST, calibration_batches
from ..repair.least_squares import LeastSquares
from ..repair.trail import begun
from ..values.granularity import CHANNEL, PLURALS, WEIGHT
from ..values.profile import Masks
from ..values.recipe import Recipe
from .counted import counted_macs
from .effort import Effort, opened
from .live_moves import recipe_at
from .timed_rows import Pairs, Timeable, TimedRow, interleaved, milliseconds_row, row

BARE = "one forward of the dense model over the calibration samples"
GOALS_MS = {"digits-cnn": 150.0, "shapes-resnet": 2_000.0, "torchvision:resnet50": 60_000.0}
BATCH = 13  # of drawn inputs: at least five batches, so that one can be held back


@dataclass(frozen=True, eq=False)
class Bench:
    """A model with the inputs of its repairs.

    Args:
        dense: the model without a cut.
        batches: training inputs, or drawn ones if there are none.
    """

    model: Analysed
    device: str
    dense: Any
    batches: Sequence[Tensor]

    @classmethod
    def of(cls, name: str, device: str) -> "Bench":
        model = opened(name)
        batches = calibration_batches(model, device) or drawn_batches(model.subject.example, device)
        return cls(model, device, build(model, Masks({}, {}), device), batches)

    @property
    def samples(self) -> int:
        return sum(map(len, self.batches))

    def forward(self) -> None:
        """Run the dense model once over all samples."""
        with torch.inference_mode():
            for batch in self.batches:
                self.dense(batch)

    def repair(self, recipe: Recipe, *, leaving: bool = False) -> LeastSquares:
        """Return a repair that is ready to run.

        Args:
            leaving: it keeps the places from which another one can go on.
        """
        masks = masks_for(self.model, recipe)
        small: Any = build(self.model, masks, self.device)
        trail = begun(self.model, small, self.batches) if leaving else None
        return LeastSquares(self.model, masks, small, self.dense, self.batches, trail)


def drawn_batches(example: Tensor, device: str) -> Sequence[Tensor]:
    """Return random inputs for a model without data."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(LEAST, *example.shape[1:], generator=generator).to(device).split(BATCH)


def repairing(size: Effort, device: str) -> Iterator[TimedRow]:
    """Time repairs of channels and of single weights, with all layers cut, then a late move."""
    for name in (size.small, size.live):
        bench = Bench.of(name, device)
        for structured in (True, False):
            yield from _rows(bench, size, structured, over_forward=name == size.live)
    yield _late_move(bench, size)


def repairing_large(size: Effort, device: str) -> Iterator[TimedRow]:
    """Time a repair of channels of a large model, on drawn inputs."""
    yield from _rows(Bench.of(size.large, device), size, True, over_forward=False)


def _rows(bench: Bench, size: Effort, structured: bool, *, over_forward: bool) -> Iterator[TimedRow]:
    kind, name = PLURALS[CHANNEL if structured else WEIGHT], bench.model.subject.name

    def recipe(index: int) -> Recipe:
        return recipe_at(bench.model.graph, structured, index / (size.pairs + 1))

    def make(index: int) -> tuple[Timeable, Timeable]:
        work = bench.repair(recipe(index))
        return lambda: list(work.run()), bench.forward

    pairs = interleaved(make, size.pairs, bench.device, long_count=size.long_pairs)
    needed = counted_macs(make(0)[0]) / max(1, counted_macs(bench.forward))
    details = {
        "model": name,
        "samples": bench.samples,
        "bound_from_macs": needed,
        "threads": torch.get_num_threads(),
        **pairs.details,
    }
    words = (
        "products of inputs with each other, two forwards, and what the counter does not see: copies, solving"
    )
    yield milliseconds_row(
        f"repair_ms_{name}_{kind}", pairs, BARE, goal=GOALS_MS.get(name), bound_by=words, details=details
    )
    if over_forward:
        over = row(f"repair_over_forward_{kind}", pairs, BARE, details=details)
        yield over
        value, low, high = (part / needed for part in (over.value, over.low, over.high))
        against = f"{BARE}, times the multiply-adds that a repair needs over its own: {needed:.2f}"
        yield TimedRow(
            f"repair_over_bound_{kind}", value, low, high, against, pairs=over.pairs, details=details
        )


def _late_move(bench: Bench, size: Effort) -> TimedRow:
    """Time a repair after the last fader was moved, from where the one before is still right, over a repair
    from the start.
    """
    start = recipe_at(bench.model.graph, True, 0.0)
    first = bench.repair(start, leaving=True)
    list(first.run())
    trail, late = first.trail, list(bench.model.profile.free_groups)[-1]
    solved: list[int] = []

    def make(index: int) -> tuple[Timeable, Timeable]:
        ratio = 0.1 + 0.7 * index / (size.pairs + 1)
        moved = start.with_ratios(CHANNEL, {**start.channels, late: ratio})
        late_work, whole = bench.repair(moved), bench.repair(moved)
        mark = trail.last_before(late_work.small) if trail is not None else None

        def rest() -> None:
            if mark is not None:
                late_work.resume(mark)
            solved.append(len(list(late_work.run())))

        return rest, lambda: list(whole.run())

    pairs: Pairs = interleaved(make, size.pairs, bench.device, long_count=size.long_pairs)
    return row(
        "repair_late_move_speedup",
        pairs,
        "the same repair from the start",
        inverse=True,
        bound_by="the layers from the fader on",
        details={"model": bench.model.subject.name, "group": late, "steps": max(solved), **pairs.details},
    )
