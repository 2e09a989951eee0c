"""What two models answer to a few samples, small enough to be drawn: masks, boxes or numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..measuring.evaluation import inputs_of
from ..measuring.judging import Judge, metrics_of
from ..metrics.boxes import found_boxes, true_boxes
from ..metrics.numbers import pair_of
from ..values.samples import Split, moved
from ..values.subject import Task
from .own_shown import own_shown
from .partings import SURE

ShownKind = Literal["mask", "boxes", "numbers", "neighbours", "own"]


@dataclass(frozen=True, eq=False)
class ShownAnswer:
    """The truth about a sample, and what the dense and the pruned model say.

    Args:
        kind: "mask": (height, width) int64 class numbers; "boxes": (boxes, 5) of x1, y1, x2, y2 in pixels of
            the input, label; "numbers": (numbers,) float64; "neighbours": (sample, label); "own": pictures or
            texts that the task's `show` draws.
    """

    kind: ShownKind
    truth: Any
    before: Any
    after: Any


def shown_answers(
    networks: tuple[nn.Module, nn.Module], split: Split, task: Task, numbers: Sequence[int], device: str
) -> dict[int, ShownAnswer]:
    """Return number of a sample -> its answers; none for a task whose answers cannot be drawn."""
    if task.show is not None:
        drawn = {number: own_shown(networks, split, task, number, device) for number in numbers}
        return {number: ShownAnswer("own", *shown) for number, shown in drawn.items()}
    form = FORMS.get(str(task.metrics[0]))
    if form is None:
        return {}
    kind, read = form
    judge = Judge((), answer=task.answer)
    scored = task.scored if task.scored and metrics_of(task)[0].of_scores else lambda outputs: outputs
    shown = {}
    for number in numbers:
        inputs = inputs_of(split, task.normalisation, number, number + 1, device)
        targets = moved(split.targets_at(number, number + 1), device)
        with torch.inference_mode():
            answers = [read(scored(judge.picked(network(inputs))), targets) for network in networks]
        (said, truth), (still, _) = ((part.cpu() for part in pair) for pair in answers)
        shown[number] = ShownAnswer(kind, truth, said, still)
    return shown


def _mask(outputs: Any, targets: Tensor) -> tuple[Tensor, Tensor]:
    scores = outputs["out"] if isinstance(outputs, dict) else outputs  # as torchvision returns them
    said = (scores[:, 0] > 0).long() if scores.shape[1] == 1 else scores.argmax(1)
    return said[0], targets.reshape(said.shape)[0].long()


def _boxes(outputs: Any, targets: Any) -> tuple[Tensor, Tensor]:
    said = found_boxes("detection_f1", outputs)[0]
    there = true_boxes("detection_f1", targets, 1)[0]
    sure = said[(said[:, 4] >= SURE) & (said[:, 5] >= 0)]
    return torch.cat([sure[:, :4], sure[:, 5:]], 1), there[there[:, 4] >= 0]


def _numbers(outputs: Any, targets: Any) -> tuple[Tensor, Tensor]:
    said, truth = pair_of("mae", outputs, targets)
    return said[0], truth[0]


FORMS: dict[str, tuple[ShownKind, Callable[[Any, Any], tuple[Tensor, Tensor]]]] = {
    **dict.fromkeys(("mean_iou", "dice"), ("mask", _mask)),
    "detection_f1": ("boxes", _boxes),
    **dict.fromkeys(("mae", "rmse"), ("numbers", _numbers)),
}
