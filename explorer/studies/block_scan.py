"""What each residual block is worth alone: the model is measured without it, all else as it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..engine.conditions import Conditions
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..pruning.block_scores import block_scores
from ..signals.calibration import training_data
from ..values.choice import Choice
from ..values.granularity import BLOCK
from ..values.progress import Step, Work, reached
from ..values.recipe import Recipe
from ..values.report import Report
from .accuracy_curves import measured
from .sensitivity.scan_run import NO_DATA


@dataclass(frozen=True)
class BlockScan:
    """Removals of single blocks.

    Args:
        reports: block -> what was measured without it, in the order of the graph.
        influence: block -> `block_influence`; empty without training data.
        expected: how many blocks there are to measure.
    """

    reports: Mapping[str, Report]
    influence: Mapping[str, float]
    expected: int
    after: str = "none"

    @property
    def finished(self) -> bool:
        """Whether all blocks are measured."""
        return len(self.reports) == self.expected

    def losses(self) -> dict[str, list[tuple[float, float]]]:
        """Return block -> ((1, how much the task's loss grows without it),); where the task has none, what
        the deciding metric loses.
        """
        lost = {name: _lost(report) for name, report in self.reports.items()}
        return {name: [(1.0, grown)] for name, grown in lost.items() if grown is not None}

    def to_json(self) -> dict[str, Any]:
        points = [
            {BLOCK: name, "influence": self.influence.get(name), "report": report.to_json()}
            for name, report in self.reports.items()
        ]
        return {
            "granularity": BLOCK,
            "after": self.after,
            "points": points,
            "finished": self.finished,
            "expected_points": self.expected,
        }


def _lost(report: Report) -> float | None:
    dense, now = report.baseline.loss, report.pruned.loss
    if dense is None:
        return None if report.drop is None else report.drop.loss
    return None if now is None else now - dense  # never the metric's number among those of a loss


def block_scan(model: Analysed, conditions: Conditions, after: str = "none") -> Work[BlockScan]:
    """Measure the model without each of its blocks; yields Progress, and a BlockScan after each of them.

    Args:
        after: the repair after each removal.
    Raises:
        ExplorerError: no block can be removed, or there is no data.
    """
    names = list(model.profile.free_blocks)
    if not names:
        raise ExplorerError("This model has no residual block that can be removed; see 'profile'.")
    if model.subject.task is None:
        raise ExplorerError(NO_DATA)
    influence: Mapping[str, float] = {}
    if training_data(model.subject) is not None:
        for rated in block_scores(model, Choice("block_influence"), device=conditions.device):
            influence = rated.value or influence
            yield Step(progress=rated.progress)
    reports: dict[str, Report] = {}
    for done, name in enumerate(names):
        for step in measured(model, Recipe(blocks=(name,), after=after), conditions):
            yield reached(done, len(names), "measuring without one block")
            if step.value is not None:
                reports[name] = step.value
        yield Step(BlockScan(dict(reports), influence, len(names), after))
