"""Compares any outputs of a pruned model with those of the dense one: no labels are needed."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from .checks import refuse


def leaves(outputs: Any) -> list[Tensor]:
    """Return the float tensors of any outputs, in a fixed order."""
    if hasattr(outputs, "to_tuple"):  # as transformers returns them
        outputs = outputs.to_tuple()
    return [leaf for leaf in tree_leaves(outputs) if isinstance(leaf, Tensor) and leaf.is_floating_point()]


def both(metric: str, outputs: Any, dense: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """Return pairs of (samples, numbers) float64, one for each output that has a row per sample.

    Raises:
        ExplorerError: there is none, or their shapes differ.
    """
    ours, theirs = leaves(outputs), leaves(dense)
    batches = [leaf.shape[0] for leaf in theirs if leaf.dim()]
    if not batches or [o.shape for o in ours] != [t.shape for t in theirs]:
        raise refuse(metric, "outputs shaped like the dense model's", outputs)
    samples = max(batches, key=batches.count)
    for one, other in zip(ours, theirs, strict=True):
        if one.dim() and len(one) == samples and one.numel():
            yield tuple(t.detach().double().reshape(samples, -1) for t in (one, other))  # type: ignore[misc]


def side_by_side(metric: str, outputs: Any, dense: Any) -> tuple[Tensor, Tensor]:
    """Return all outputs of a sample as one row, for both models: two (samples, numbers) float64."""
    pairs = list(both(metric, outputs, dense))
    if not pairs:
        raise refuse(metric, "outputs with one row per sample", outputs)
    ours, theirs = (torch.cat(list(parts), 1) for parts in zip(*pairs, strict=True))
    return ours, theirs


def class_scores(metric: str, outputs: Any, dense: Any) -> tuple[Tensor, Tensor]:
    """Return the first output of both models as (samples, places, classes) float64.

    Classes are the last dimension of (samples, classes) and of (samples, places, classes), and the second of
    (samples, classes, height, width).

    Raises:
        ExplorerError: the first output has no classes.
    """
    pair = [found[0] for found in (leaves(outputs), leaves(dense)) if found]
    if len(pair) < 2 or pair[0].shape != pair[1].shape or pair[0].dim() < 2 or pair[0].numel() == 0:
        raise refuse(metric, "class scores shaped like the dense model's", outputs)
    scores = [t.detach().double() for t in pair]
    if scores[0].dim() > 3:
        scores = [t.movedim(1, -1) for t in scores]
    ours, theirs = (t.reshape(len(t), -1, t.shape[-1]) for t in scores)
    return ours, theirs
