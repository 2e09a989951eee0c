"""Plug-ins that turn a pruned model into the bytes of a file. What is written is what was measured."""

from dataclasses import dataclass

from torch import nn

from ..engine import prepare
from ..graph.export import ModelGraph
from ..registry import EXPORTERS
from ..values import Recipe, Subject


@dataclass(frozen=True, eq=False)
class Export:
    """What an exporter may look at.

    Args:
        subject: the dense model with its task.
        recipe: what was decided.
        model: the compact model on the processor, in eval mode; exporters leave it as it is.
    """

    subject: Subject
    recipe: Recipe
    model: nn.Module


def export(subject: Subject, graph: ModelGraph, recipe: Recipe, format: str = "safetensors") -> bytes:
    """The pruned model, or its recipe, as the bytes of a file.

    The file's ending and media type are `EXPORTERS[format].traits["extension"]` and `["media_type"]`.

    Args:
        format: name of an exporter.
    Raises:
        UnknownNameError: no such format.
        ExplorerError: the recipe does not fit the model, or the format cannot hold it.
    """
    exporter = EXPORTERS[format]
    return exporter(Export(subject, recipe, prepare(subject, graph, recipe).model))
