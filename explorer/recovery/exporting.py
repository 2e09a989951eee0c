"""The recovered model as a file: every export format writes its weights in place of the merely pruned ones."""

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from ..exporters import Export
from ..graph.export import ModelGraph
from ..registry import EXPORTERS
from ..values import Subject
from .recover import recovered_model
from .values import Recovery


@dataclass(frozen=True, eq=False)
class RecoveredExport(Export):
    """What an exporter may look at: the model is the trained one."""

    trained: nn.Module | None = None

    @property
    def model(self) -> nn.Module:  # type: ignore[override]
        """The compact, trained model on the processor, in eval mode."""
        assert self.trained is not None
        return self.trained


def export_recovered(
    subject: Subject, graph: ModelGraph, found: Recovery, format: str = "safetensors", *, root: Path | None = None
) -> bytes:
    """The model that a finished recovery has kept, as the bytes of a file.

    Raises:
        UnknownNameError: no such format.
        ExplorerError: the weights are no longer in the cache.
    """
    exporter = EXPORTERS[format]
    return exporter(RecoveredExport(subject, graph, found.recipe, trained=recovered_model(subject, graph, found.key, root=root)))
