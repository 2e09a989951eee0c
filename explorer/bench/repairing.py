"""How long least squares takes, over one forward of the samples that it looks at."""

from collections.abc import Iterator
from typing import Any

import torch

from ..engine.candidate import build
from ..pruning.decision import masks_for
from ..repair.calibration_inputs import calibration_batches
from ..repair.least_squares import LeastSquares
from ..values.granularity import CHANNEL, PLURALS, WEIGHT
from ..values.profile import Masks
from .effort import Effort, opened
from .live_moves import recipe_at
from .timed_rows import Timeable, TimedRow, interleaved, row

BARE = "one forward of the dense model over the calibration samples"


def repairing(size: Effort, device: str) -> Iterator[TimedRow]:
    """Time a repair of channels and one of single weights, with all layers cut."""
    for structured in (True, False):
        yield _repair(size, device, structured)


def _repair(size: Effort, device: str, structured: bool) -> TimedRow:
    model = opened(size.live)
    batches = calibration_batches(model, device)
    dense: Any = build(model, Masks({}, {}), device)

    def forward() -> None:
        with torch.inference_mode():
            for batch in batches:
                dense(batch)

    def make(index: int) -> tuple[Timeable, Timeable]:
        masks = masks_for(model, recipe_at(model.graph, structured, index / (size.pairs + 1)))
        small: Any = build(model, masks, device)
        work = LeastSquares(model, masks, small, dense, batches)
        return lambda: list(work.run()), forward

    pairs = interleaved(make, size.pairs, device, long_count=size.long_pairs)
    return row(
        f"repair_over_forward_{PLURALS[CHANNEL if structured else WEIGHT]}",
        pairs,
        BARE,
        details={"model": model.subject.name, "samples": sum(map(len, batches)), **pairs.details},
    )
