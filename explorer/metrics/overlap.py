"""Masks: how much of each class the model and the truth share, picture by picture."""

import torch
from torch import Tensor

from .checks import are_classes, as_given, best_class, class_targets, ignored, per_class, refuse, rows

FEW = 64  # classes that are compared one after another, which is faster than argmax over pixels
WANTED = "class scores of pixels (samples, classes, height, width)"


def overlaps(metric: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return (samples, 3 classes): pixels that both assign to a class, that the model does, and that the
    truth does.

    One score per pixel means yes or no, and then yes is the only class.

    Raises:
        ExplorerError: outputs are not scores of pixels, or the masks are of another size.
    """
    if isinstance(outputs, dict) and isinstance(outputs.get("out"), Tensor):  # as torchvision returns them
        outputs = outputs["out"]
    scores = as_given(metric, outputs, (3, 4), WANTED)
    classes, shape = scores.shape[1], (len(scores), *scores.shape[2:])
    if classes == 1:
        return _binary(metric, scores[:, 0] > 0, targets)
    truth = class_targets(metric, _squeezed(targets, shape), shape, classes, may_skip=True)
    said = _answers(scores)
    known = said >= 0
    if classes**2 <= truth[:1].numel() and are_classes(truth, classes) and bool(known.all()):
        return _of_table(truth, said, classes)
    counts = ~ignored(truth, classes)
    there = torch.where(counts, truth, 0)
    both = per_class(there, classes, counts & (said == there))
    found = per_class(said.clamp_min(0), classes, counts & known)
    return rows(both, found, per_class(there, classes, counts))


def _answers(scores: Tensor) -> Tensor:
    """Return the class with the highest score, as `best_class`, (samples, ...) int64."""
    classes = scores.shape[1]
    if classes > FEW or scores.stride(1) == 1 or scores.device.type != "cpu":
        return best_class(scores)
    best = scores[:, 0].clone()
    found = torch.zeros(best.shape, dtype=torch.uint8)
    for label in range(1, classes):
        found.masked_fill_(scores[:, label] > best, label)
        torch.maximum(best, scores[:, label], out=best)
    return best_class(scores) if bool(best.isnan().any()) else found.long()


def _of_table(truth: Tensor, said: Tensor, classes: int) -> Tensor:
    """Return the same from each sample's table of truths and answers, where every pixel counts."""
    samples = len(truth)
    start = torch.arange(samples, device=truth.device).view(-1, *[1] * (truth.dim() - 1)) * classes
    places = ((start + truth) * classes + said).flatten()
    table = torch.bincount(places, minlength=samples * classes**2).view(samples, classes, classes)
    return rows(table.diagonal(dim1=1, dim2=2), table.sum(1), table.sum(2))


def _binary(metric: str, said: Tensor, targets: Tensor) -> Tensor:
    truth = _squeezed(targets, tuple(said.shape))
    if not isinstance(truth, Tensor) or truth.shape != said.shape:
        raise refuse(metric, f"masks of shape {tuple(said.shape)}", targets)
    counts = ~ignored(truth, 2) if not truth.is_floating_point() else torch.ones_like(said)
    there = (truth > 0.5) & counts
    said = said & counts
    return rows(*(part.flatten(1).sum(1) for part in (said & there, said, there)))


def _squeezed(targets: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Remove the channel of masks that are stored with one."""
    if isinstance(targets, Tensor) and tuple(targets.shape) == (shape[0], 1, *shape[1:]):
        return targets[:, 0]
    return targets
