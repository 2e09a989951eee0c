"""What the student learns from: the true classes, and the dense model's probabilities if there is a
teacher.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

Teacher = Callable[[Tensor], Tensor]  # (n, *shape) inputs -> (n, classes) logits, without gradient


def distillation_loss(
    logits: Tensor, taught: Tensor, targets: Tensor, weight: float, temperature: float
) -> Tensor:
    """Return (1 - weight) x cross-entropy + weight x T² x KL(teacher || student) at temperature T; a mean
    over samples.

    T² keeps the size of the gradient as T grows (Hinton et al. 2015, arXiv:1503.02531, section 2).

    Args:
        logits, taught: (n, classes) of student and teacher.
    """
    softened = kl_div(
        log_softmax(logits / temperature, 1), softmax(taught / temperature, 1), reduction="batchmean"
    )
    return (1 - weight) * cross_entropy(logits, targets) + weight * temperature**2 * softened


def teacher_of(model: nn.Module) -> Teacher:
    """Return a model in eval mode as a teacher, which is not trained."""

    def teach(inputs: Tensor) -> Tensor:
        with torch.no_grad():
            return model(inputs)

    return teach


@dataclass(frozen=True)
class Objective:
    """The loss of a step.

    Args:
        teacher: None = the true targets alone. It teaches probabilities, so it is for tasks of classes.
        weight: of the teacher, in [0, 1].
        loss: against the true targets.
    """

    teacher: Teacher | None = None
    weight: float = 0.0
    temperature: float = 1.0
    loss: Callable[[Any, Any], Tensor] = cross_entropy

    def __call__(self, logits: Any, inputs: Tensor, targets: Any) -> Tensor:
        if self.teacher is None or not self.weight:
            return self.loss(logits, targets)
        return distillation_loss(logits, self.teacher(inputs), targets, self.weight, self.temperature)
