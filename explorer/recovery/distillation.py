"""What the student learns from: the true classes, and the dense model's probabilities if there is a
teacher.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

from ..errors import ExplorerError

Teacher = Callable[[Tensor], Tensor]  # (n, *shape) inputs -> (n, classes) logits, without gradient


def distillation_loss(logits: Any, taught: Tensor, own: Tensor, weight: float, temperature: float) -> Tensor:
    """Return (1 - weight) x the task's loss + weight x T² x KL(teacher || student) at temperature T; a mean
    over samples, of masks over pixels.

    T² keeps the size of the gradient as T grows (Hinton et al. 2015, arXiv:1503.02531, section 2).

    Args:
        logits, taught: (n, classes, ...) of student and teacher.
        own: the loss against the true targets.
    Raises:
        ExplorerError: outputs are not one tensor of class scores.
    """
    if not isinstance(logits, Tensor) or logits.dim() < 2 or logits.shape[1] < 2:
        raise ExplorerError(
            "Distillation teaches the probabilities of classes, and this model's outputs are something else; "
            "choose method 'finetune' or another one without a teacher."
        )
    softened = kl_div(
        log_softmax(logits / temperature, 1), softmax(taught / temperature, 1), reduction="batchmean"
    )
    places = logits[0, 0].numel()
    return (1 - weight) * own + weight * temperature**2 * softened / places


def teacher_of(model: nn.Module) -> Teacher:
    """Return a model in eval mode as a teacher, which is not trained."""

    def teach(inputs: Tensor) -> Tensor:
        with torch.no_grad():
            return model(inputs)

    return teach


def _as_they_are(outputs: Any) -> Any:
    return outputs


@dataclass(frozen=True)
class Objective:
    """The loss of a step.

    Args:
        teacher: None = the true targets alone. It teaches probabilities, so outputs must be scores of
            classes: of samples, or of pixels.
        weight: of the teacher, in [0, 1].
        loss: against the true targets.
        read: outputs of a model -> scores of classes, of student and teacher.
    """

    teacher: Teacher | None = None
    weight: float = 0.0
    temperature: float = 1.0
    loss: Callable[[Any, Any], Tensor] = cross_entropy
    read: Callable[[Any], Any] = _as_they_are

    def __call__(self, logits: Any, inputs: Tensor, targets: Any) -> Tensor:
        if self.teacher is None or not self.weight:
            return self.loss(logits, targets)
        own = self.loss(logits, targets)
        ours, taught = self.read(logits), self.read(self.teacher(inputs))
        return distillation_loss(ours, taught, own, self.weight, self.temperature)
