"""Masks: how much of each class the model and the truth share, picture by picture."""

import torch
from torch import Tensor

from .checks import class_targets, ignored, per_class, refuse, rows, scores_of

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
    scores = scores_of(metric, outputs, (3, 4), WANTED)
    classes, shape = scores.shape[1], (len(scores), *scores.shape[2:])
    if classes == 1:
        return _binary(metric, scores[:, 0] > 0, targets)
    truth = class_targets(metric, _squeezed(targets, shape), shape, classes, may_skip=True)
    counts = ~ignored(truth, classes)
    said, there = scores.argmax(1), torch.where(counts, truth, 0)
    both = per_class(there, classes, counts & (said == there))
    return rows(both, per_class(said, classes, counts), per_class(there, classes, counts))


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
