"""Exports the recovered model: every format writes its weights, and the numbers that were measured for
them.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from torch import nn

from ..engine.conditions import Conditions
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..recovery.recover import recovered_model
from ..recovery.results import recovered_reports
from ..recovery.values import Recovery
from ..registry import EXPORTERS
from ..values.progress import outcome
from ..values.report import Report
from .export import Export


@dataclass(frozen=True, eq=False)
class RecoveredExport(Export):
    """What an exporter may look at; the model is the trained one.

    Args:
        recovery: the finished recovery.
        root: folder of all recoveries (default: in the cache).
    """

    recovery: Recovery | None = None
    root: Path | None = None

    def _recovery(self) -> Recovery:
        if self.recovery is None or not self.recovery.finished:
            raise ExplorerError(
                "This recovery is not finished, so there is no model to write; wait until it ends."
            )
        return self.recovery

    @cached_property
    def model(self) -> nn.Module:
        """Return the compact, trained model on the processor, in eval mode."""
        model = recovered_model(self.sized.model, self._recovery().key, root=self.root)
        return self.as_taken(model)

    def measured(self) -> Report:
        """Return the report of the trained model; if none was given, it is measured now, without latency."""
        if self.report is not None:
            return self.report
        conditions = Conditions(latency=False)
        return outcome(recovered_reports(self.dense, self._recovery(), conditions, root=self.root))


def export_recovered(
    model: Analysed,
    recovery: Recovery,
    format: str = "safetensors",
    *,
    report: Report | None = None,
    root: Path | None = None,
) -> bytes:
    """Return the model that a finished recovery has kept, as the bytes of a file.

    Args:
        report: measured for it, for formats that contain numbers; without it they measure.
    Raises:
        UnknownNameError: no such format.
        ExplorerError: the recovery is not finished, or its weights are no longer in the cache.
    """
    exporter = EXPORTERS[format]
    return exporter(RecoveredExport(model, recovery.recipe, report, recovery=recovery, root=root))
