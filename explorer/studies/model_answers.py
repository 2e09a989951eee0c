"""Runs a model on samples: its prediction for each and its confidence. The dense model's are cached."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..engine.candidate import prepare
from ..engine.conditions import Conditions
from ..graph.analysed import Analysed
from ..machine.cache import Cache
from ..measuring.evaluation import batch_of, batch_size
from ..values.recipe import Recipe
from ..values.samples import Split
from ..values.subject import Task


@dataclass(frozen=True, eq=False)
class Answers:
    """What is known after the first samples, in the split's order.

    Args:
        predictions: (n,) int64, the class with the largest probability.
        confidences: (n,) float32, the probability of that class.
        truths: (n,) float32, the probability of the true class.
    """

    predictions: Tensor
    confidences: Tensor
    truths: Tensor

    def __len__(self) -> int:
        return len(self.predictions)

    def first(self, samples: int) -> "Answers":
        return Answers(self.predictions[:samples], self.confidences[:samples], self.truths[:samples])

    def then(self, more: "Answers") -> "Answers":
        """Return these answers followed by more."""
        return Answers(*(torch.cat(both) for both in zip(self._tensors(), more._tensors(), strict=True)))

    def _tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.predictions, self.confidences, self.truths


NONE = Answers(torch.zeros(0, dtype=torch.long), torch.zeros(0), torch.zeros(0))
_dense = Cache(16, "answers of dense models")


def answers_of(logits: Tensor, targets: Tensor) -> Answers:
    """Return the answers of (n, classes) logits for (n,) targets.

    >>> answers_of(torch.tensor([[0.0, 2.0]]), torch.tensor([0])).predictions.tolist()
    [1]
    """
    chances = logits.float().softmax(1)
    confidences, predictions = chances.max(1)
    truths = chances.gather(1, targets[:, None])[:, 0]
    return Answers(predictions.cpu(), confidences.cpu(), truths.cpu())


def answer(
    model: nn.Module,
    split: Split,
    task: Task,
    until: int,
    *,
    device: str = "cpu",
    start: Answers = NONE,
) -> Iterator[Answers]:
    """Yield growing Answers, one batch more at each step, up to the first `until` samples.

    Args:
        start: what is already known; only later samples are run.
    """
    known, batch = start, batch_size(device)
    while len(known) < until:
        try:
            inputs, targets = batch_of(
                split, task.normalisation, len(known), min(len(known) + batch, until), device
            )
            with torch.inference_mode():
                answers = answers_of(task.scores_of(model(inputs)), targets)
        except torch.OutOfMemoryError:
            if batch == 1:
                raise
            batch //= 2
            torch.cuda.empty_cache()
            continue
        known = known.then(answers)
        yield known


def dense_answers(model: Analysed, split: Split, until: int, conditions: Conditions) -> Iterator[Answers]:
    """Yield the dense model's answers, cached for the next recipe; the last value has exactly the first
    `until` samples.
    """
    task = model.subject.task
    assert task is not None
    key = (model.subject.id, task.name, task.fingerprint, conditions.split, conditions.device)
    known: Answers = _dense.get(key) or NONE
    if len(known) < until:
        network = prepare(model, Recipe(), conditions.device).model
        for grown in answer(network, split, task, until, device=conditions.device, start=known):
            known = _dense.put(key, grown)
            if len(known) < until:
                yield known
    yield known.first(until)
