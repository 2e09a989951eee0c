"""What a sample and an answer look like, if the user's task says so."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ExplorerError
from ..machine.foreign_code import description
from ..measuring.evaluation import inputs_of
from ..values.samples import DerivedSplit, Split, mapped_tree
from ..values.subject import Task

LONGEST = 300  # characters of a text
LARGEST = 512  # pixels of a picture's longer side

Shown = Tensor | str  # (height, width) or (height, width, 3) uint8, or a text


def sample_shown(task: Task, split: Split, number: int, answer: Any = None) -> Shown:
    """Return what the task's `show` draws of a sample, and of a model's answer to it.

    Raises:
        ExplorerError: it fails, or returns neither a picture nor a text.
    """
    assert task.show is not None
    while isinstance(split, DerivedSplit):  # the sample as the user's data set gives it
        split = split.split
    parts = split.inputs_at(number, number + 1), split.targets_at(number, number + 1)
    sample = tuple(_first(part) for part in parts)
    try:
        shown = task.show(sample, answer)
    except Exception as error:  # the border of the user's code
        raise ExplorerError(
            f"show(sample, answer) of task {task.name!r} fails ({description(error)})."
        ) from error
    return _checked(shown, task.name)


def own_shown(
    networks: Sequence[nn.Module], split: Split, task: Task, number: int, device: str
) -> tuple[Shown, ...]:
    """Return what is shown of a sample, and of each model's answer to it.

    Raises:
        ExplorerError: as of `sample_shown`.
    """
    inputs, pick = inputs_of(split, task.normalisation, number, number + 1, device), task.answer
    with torch.inference_mode():
        answers = [network(inputs) if pick is None else pick(network(inputs)) for network in networks]
    drawn = (sample_shown(task, split, number, _first(answer)) for answer in answers)
    return (sample_shown(task, split, number), *drawn)


def _first(tree: Any) -> Any:
    """Return the only sample of a batch."""
    if isinstance(tree, list) and len(tree) == 1:
        return tree[0]
    return mapped_tree(lambda leaf: leaf[0].cpu() if isinstance(leaf, Tensor) and leaf.dim() else leaf, tree)


def _checked(shown: Any, name: str) -> Shown:
    if isinstance(shown, str):
        return shown[:LONGEST]
    picture = torch.as_tensor(shown).detach().cpu() if hasattr(shown, "__array__") else None
    fits = picture is not None and (picture.dim() == 2 or (picture.dim() == 3 and picture.shape[2] == 3))
    if picture is None or not fits or not 0 < max(picture.shape[:2]) <= LARGEST or not picture.numel():
        form = f"shape {tuple(picture.shape)}" if picture is not None else f"a {type(shown).__name__}"
        raise ExplorerError(
            f"show(sample, answer) of task {name!r} must return a picture of shape (height, width) or "
            f"(height, width, 3), up to {LARGEST} pixels a side, or a text; got {form}."
        )
    if picture.is_floating_point():
        picture = (picture.nan_to_num().clamp(0, 1) * 255).round()
    return picture.clamp(0, 255).to(torch.uint8)
