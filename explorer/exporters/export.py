"""A pruned model, or its recipe, as the bytes of a file."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from torch import nn

from ..engine.candidate import prepare
from ..engine.conditions import Conditions
from ..engine.measure import prune
from ..graph.analysed import Analysed
from ..graph.export import ModelGraph
from ..pruning.checks import check_parts
from ..registry import EXPORTERS
from ..values.recipe import Recipe
from ..values.report import Report
from ..values.subject import Subject
from .input_sizes import Sized, sized


@dataclass(frozen=True, eq=False)
class Export:
    """What an exporter may look at.

    Args:
        dense: the dense model.
        recipe: what was decided.
        report: what was measured of this recipe, None where nothing was.
        say: takes a sentence that the user should read next to the file.
        step: told in a few words when a stage of the work begins; it may end the work by raising.
    """

    dense: Analysed
    recipe: Recipe
    report: Report | None = None
    say: Callable[[str], None] = lambda remark: None
    step: Callable[[str], None] = lambda stage: None

    @property
    def subject(self) -> Subject:
        """The dense model with its task."""
        return self.dense.subject

    @property
    def graph(self) -> ModelGraph:
        """The graph of the dense model."""
        return self.dense.graph

    @cached_property
    def model(self) -> nn.Module:
        """The compact model on the processor, in eval mode; exporters leave it as it is."""
        self.step("Cutting the model")
        return prepare(self.sized.model, self.recipe).model

    @property
    def sized(self) -> Sized:
        """The dense model with sizes of the input as open as they can be, and the conditions on them."""
        return sized(self.dense)

    def measured(self) -> Report:
        """The report; it is measured now, on the tuning split and without latency, where none was given."""
        return self.report or prune(self.dense, self.recipe, Conditions(latency=False))


def export(
    model: Analysed,
    recipe: Recipe,
    format: str = "safetensors",
    *,
    report: Report | None = None,
    say: Callable[[str], None] = lambda remark: None,
    step: Callable[[str], None] = lambda stage: None,
) -> bytes:
    """The pruned model, or its recipe, as the bytes of a file.

    The file's ending and media type are `EXPORTERS[format].traits["extension"]` and `["media_type"]`.

    Args:
        format: name of an exporter.
        report: what was measured of this recipe, for formats that hold numbers; without it they measure.
        say: takes what the user should know of the file, such as how far another runtime's answers differ.
        step: told when a stage begins, such as the translation to ONNX.
    Raises:
        UnknownNameError: no such format.
        ExplorerError: the recipe does not fit the model, or the format cannot hold it.
    """
    exporter = EXPORTERS[format]
    check_parts(model.profile, recipe)
    return exporter(Export(model, recipe, report, say, step))
