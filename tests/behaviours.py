"""A hand-made behaviour: six samples of three classes, before and after a cut."""

import torch

from explorer.studies.behaviour import behaviour
from explorer.studies.model_answers import Answers

NAMES = ("cat", "dog", "owl")


def says(
    predictions: list[int], confidences: list[float] | None = None, truths: list[float] | None = None
) -> Answers:
    n = len(predictions)
    return Answers(
        torch.tensor(predictions), torch.tensor(confidences or [0.9] * n), torch.tensor(truths or [0.5] * n)
    )


TARGETS = torch.tensor([0, 0, 0, 1, 1, 1])
BEFORE = says([0, 0, 1, 1, 1, 2], truths=[0.9, 0.8, 0.2, 0.9, 0.6, 0.1])
AFTER = says([0, 1, 0, 1, 2, 0], truths=[0.9, 0.1, 0.7, 0.9, 0.5, 0.2])
FOUND = behaviour(BEFORE, AFTER, TARGETS, NAMES, 6)
