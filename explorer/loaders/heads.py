"""Fine-tuned weights: an architecture whose head has another number of classes."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn

from ..graph.size_limits import TooLarge, bounded_build, too_large
from .foreign_model import BUILDING
from .weight_files import Form, open_weights
from .weights import fit, tensors_of

MOST_CLASSES = 100_000


def classes_of(make: Callable[[], nn.Module], checkpoint: str | None) -> int | None:
    """Return the number of classes of the weights, or None if they differ from `make` in more than that, or
    in nothing.

    Raises:
        LoadError: the file cannot be read.
    """
    if checkpoint is None:
        return None
    path = Path(checkpoint)
    files = open_weights(path, path.name)
    with BUILDING:
        try:
            with torch.device("meta"), bounded_build():
                shadow = make()
        except TooLarge as large:
            raise too_large(path.name, large) from large
        except Exception:  # foreign code on a device that it was not written for
            return None
    sizes = {_head(fit(weights.forms, shadow, path.name).forms, shadow) for weights in files}
    return next((size for size in sizes if size is not None), None)


def _head(found: Mapping[str, Form], model: nn.Module) -> int | None:
    """Return the one number of rows in which tensors differ from the model's, if nothing else differs."""
    pairs = [(found[name].shape, tuple(t.shape)) for name, t in tensors_of(model).items() if name in found]
    other = [(there, own) for there, own in pairs if there != own]
    rows = {(there[:1], own[:1]) for there, own in other}
    if len(rows) != 1 or any(there[1:] != own[1:] for there, own in other) or len(other) == len(pairs):
        return None
    ((there, _),) = rows
    return there[0] if there and 0 < there[0] <= MOST_CLASSES else None


def class_sentence(classes: int | None) -> str:
    """Return a sentence about the classes for the description of a model."""
    return "" if classes is None else f", whose head tells {classes:,} class{'es' * (classes != 1)} apart"
