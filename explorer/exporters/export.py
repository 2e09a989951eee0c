"""A pruned model, or its recipe, as the bytes of a file."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor, nn

from ..engine.candidate import prepare
from ..engine.conditions import Conditions
from ..engine.measure import prune
from ..graph.analysed import Analysed
from ..graph.export import ModelGraph
from ..graph.running import fixed_batch
from ..registry import EXPORTERS
from ..values.inputs import from_one_row
from ..values.recipe import Recipe
from ..values.report import Report
from ..values.subject import Subject
from .input_sizes import Sized, sized
from .own_inputs import taken_apart


@dataclass(frozen=True, eq=False)
class Export:
    """What an exporter may look at.

    Args:
        dense: the dense model.
        recipe: what was decided.
        report: what was measured for this recipe, or None.
        say: takes a sentence that the user should read next to the file.
        step: called with a few words when a stage of the work begins; it may end the work by raising.
    """

    dense: Analysed
    recipe: Recipe
    report: Report | None = None
    say: Callable[[str], None] = lambda remark: None
    step: Callable[[str], None] = lambda stage: None

    @property
    def subject(self) -> Subject:
        """Return the dense model with its task."""
        return self.dense.subject

    @property
    def graph(self) -> ModelGraph:
        """Return the graph of the dense model."""
        return self.dense.graph

    @cached_property
    def model(self) -> nn.Module:
        """Return the compact model on the processor, in eval mode, called like the user's own; exporters do
        not change it.
        """
        self.step("Cutting the model")
        return self.as_taken(prepare(self.sized.model, self.recipe).model)

    def as_taken(self, small: nn.Module) -> nn.Module:
        """Return a compact model that is called like the user's own."""
        program = self.graph.program
        batch = fixed_batch(program) if program is not None else None
        return taken_apart(small, self.subject.reads, batch)

    @property
    def examples(self) -> tuple[Tensor, ...]:
        """Return (n, *shape) for each input that the model takes."""
        example, reads = self.subject.example, self.subject.reads
        return tuple(from_one_row(example, reads)) if len(reads) > 1 else (example,)

    @property
    def sized(self) -> Sized:
        """Return the dense model with input sizes as open as possible, and the conditions on them."""
        return sized(self.dense)

    def measured(self) -> Report:
        """Return the report; if none was given, it is measured now, on the tuning split and without
        latency.
        """
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
    """Return the pruned model, or its recipe, as the bytes of a file.

    The file's ending and media type are `EXPORTERS[format].traits["extension"]` and `["media_type"]`.

    Args:
        format: name of an exporter.
        report: what was measured for this recipe, for formats that contain numbers; without it they measure.
        say: takes what the user should know about the file, such as how far another runtime's outputs differ.
        step: called when a stage begins, such as the translation to ONNX.
    Raises:
        UnknownNameError: no such format.
        ExplorerError: the recipe cannot be written in the format.
    """
    exporter = EXPORTERS[format]
    return exporter(Export(model, recipe, report, say, step))
