"""For each metric: made-up outputs and targets, one sample by hand, and what an independent library says."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from sklearn import metrics as sk
from torch import Tensor

from explorer.machine.optional_packages import uses_torchvision

torchmetrics = uses_torchvision("torchmetrics")


@dataclass(frozen=True)
class Case:
    """make: generator, samples -> (outputs, targets). one: (outputs, targets, value) of one sample."""

    make: Callable[[torch.Generator, int], tuple[Any, Any]]
    oracle: Callable[[Any, Any], float]
    one: tuple[Any, Any, float]
    params: dict[str, Any] = field(default_factory=dict)


def classes(g: torch.Generator, n: int, k: int = 7) -> tuple[Tensor, Tensor]:
    """Logits that are right about three times in four, of classes of unequal size."""
    targets = torch.multinomial(torch.arange(1.0, k + 1), n, True, generator=g)
    logits = torch.randn(n, k, generator=g)
    logits[torch.arange(n), targets] += 2.5
    return logits, targets


def masks(g: torch.Generator, n: int) -> tuple[Tensor, Tensor]:
    targets = torch.randint(0, 3, (n, 6, 5), generator=g)
    logits = torch.randn(n, 3, 6, 5, generator=g)
    logits.scatter_add_(1, targets[:, None], torch.full((n, 1, 6, 5), 1.5))
    return logits, torch.where(torch.rand(n, 6, 5, generator=g) < 0.1, 255, targets)


def labels(g: torch.Generator, n: int) -> tuple[Tensor, Tensor]:
    targets = (torch.rand(n, 4, generator=g) < 0.4).long()
    return torch.randn(n, 4, generator=g) + 2 * targets - 1, targets


def yes_or_no(g: torch.Generator, n: int) -> tuple[Tensor, Tensor]:
    scores, targets = labels(g, n)
    return scores[:, :1], targets[:, 0]


def numbers(g: torch.Generator, n: int) -> tuple[Tensor, Tensor]:
    targets = 3 + 2 * torch.randn(n, 2, generator=g)
    return targets + 0.5 * torch.randn(n, 2, generator=g), targets


def texts(g: torch.Generator, n: int) -> tuple[Tensor, Tensor]:
    logits, targets = classes(g, n * 9, 11)
    targets = torch.where(torch.rand(n * 9, generator=g) < 0.15, -100, targets)
    return logits.view(n, 9, 11), targets.view(n, 9)


def boxes(g: torch.Generator, n: int) -> tuple[Tensor, Tensor]:
    """Three boxes a picture, found in about three of four cases, with false alarms."""
    corner, size = 60 * torch.rand(n, 3, 2, generator=g), 10 + 20 * torch.rand(n, 3, 2, generator=g)
    label = torch.randint(0, 2, (n, 3, 1), generator=g)
    there = torch.cat([corner, corner + size, label], 2)
    there[torch.rand(n, 3, generator=g) < 0.2] = torch.tensor([0.0, 0, 0, 0, -1])
    shifted = there[..., :4] + 3 * torch.randn(n, 3, 4, generator=g)
    far = torch.cat([60 * torch.rand(n, 2, 2, generator=g)] * 2, 2) + torch.tensor([0.0, 0, 15, 15])
    boxes_given = torch.cat([shifted, far], 1)
    score = torch.rand(n, 5, 1, generator=g)
    wrong = (torch.rand(n, 5, 1, generator=g) < 0.15).long()
    kind = (torch.cat([label, label[:, :2]], 1) + wrong) % 2
    kind = torch.where(torch.cat([there[..., 4:] < 0, torch.zeros(n, 2, 1, dtype=torch.bool)], 1), -1, kind)
    return torch.cat([boxes_given, score, kind], 2), there


def embeddings(g: torch.Generator, n: int) -> tuple[Tensor, Tensor]:
    targets = torch.randint(0, 6, (n,), generator=g)
    centres = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
    return centres[targets] + 0.8 * torch.randn(n, 5, generator=g), targets


def twins(g: torch.Generator, n: int) -> tuple[Tensor, Tensor]:
    dense = torch.randn(n, 5, generator=g)
    return dense + 0.4 * torch.randn(n, 5, generator=g), dense


def pixels(logits: Tensor, targets: Tensor) -> tuple[np.ndarray, np.ndarray]:
    there = targets != 255
    return targets[there].numpy(), logits.argmax(1)[there].numpy()


def neighbours_loop(vectors: Tensor, targets: Tensor) -> float:
    right = 0
    for i in range(len(vectors)):
        best = max(
            (j for j in range(len(vectors)) if j != i),
            key=lambda j: float(torch.cosine_similarity(vectors[i].double(), vectors[j].double(), dim=0)),
        )
        right += int(targets[best] == targets[i])
    return right / len(vectors)


def area(box: list[float]) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def detection_loop(found: Tensor, there: Tensor) -> float:
    """F1 by a plain loop over pictures and boxes."""
    hit = said = real = 0
    for mine, truth in zip(found.tolist(), there.tolist(), strict=True):
        left = [t for t in truth if t[4] >= 0]
        real += len(left)
        for box in sorted((b for b in mine if b[5] >= 0 and b[4] >= 0.5), key=lambda b: -b[4]):
            said += 1
            best, chosen = 0.0, None
            for t in (t for t in left if t[4] == box[5]):
                inner = [max(box[0], t[0]), max(box[1], t[1]), min(box[2], t[2]), min(box[3], t[3])]
                both = area(inner) if inner[0] < inner[2] and inner[1] < inner[3] else 0.0
                overlap = both / (area(box) + area(t) - both) if area(box) + area(t) > both else 0.0
                if overlap > best:
                    best, chosen = overlap, t
            if chosen is not None and best >= 0.5:
                hit += 1
                left.remove(chosen)
    return 2 * hit / (said + real)


def coco(found: Tensor, there: Tensor) -> float:
    """By pycocotools, through torchmetrics."""
    judge = torchmetrics.detection.MeanAveragePrecision(box_format="xyxy", iou_type="bbox")
    for mine, truth in zip(found.float(), there.float(), strict=True):
        mine, truth = mine[mine[:, 5] >= 0], truth[truth[:, 4] >= 0]
        judge.update(
            [{"boxes": mine[:, :4], "scores": mine[:, 4], "labels": mine[:, 5].int()}],
            [{"boxes": truth[:, :4], "labels": truth[:, 4].int()}],
        )
    return float(judge.compute()["map"])


def perplexed(logits: Tensor, targets: Tensor) -> float:
    return float(torchmetrics.functional.text.perplexity(logits.double(), targets, ignore_index=-100))


def answers(logits: Tensor) -> np.ndarray:
    return logits.argmax(1).numpy()


def nats(outputs: Tensor, dense: Tensor) -> float:
    return float(
        torchmetrics.functional.kl_divergence(dense.double().softmax(1), outputs.double().softmax(1))
    )


def with_bytes(g: torch.Generator, n: int) -> tuple[Tensor, Any]:
    logits, targets = texts(g, n)
    return logits, (targets, torch.randint(5, 40, (n,), generator=g))


def bits(logits: Tensor, targets: Any) -> float:
    tokens, sizes = targets
    many = int((tokens != -100).sum())
    return math.log2(perplexed(logits, tokens)) * many / float(sizes.sum())


def cosine_loop(outputs: Tensor, dense: Tensor) -> float:
    pairs = zip(outputs.double(), dense.double(), strict=True)
    return float(np.mean([sk.pairwise.cosine_similarity(a[None], b[None]) for a, b in pairs]))


ROW = torch.tensor([[0.0, 3.0, 1.0]])  # scores of one sample, which says class 1
MASK = torch.tensor([[[[5.0, 5.0, 0.0, 0.0]], [[0.0, 0.0, 5.0, 5.0]]]])  # classes 0 0 1 1
BOX = torch.tensor([[[0.0, 0, 10, 10, 0.9, 1], [50, 50, 60, 60, 0.8, 1]]])
TRUE_BOX = torch.tensor([[[0.0, 0, 10, 8, 1]]])
TEXT = torch.tensor([[[0.0, 0.0], [0.0, 0.0], [9.0, 0.0]]])
HALF, ONE = math.log(2), torch.tensor([1])

CASES = {
    "accuracy": Case(classes, lambda o, t: sk.accuracy_score(t, answers(o)), (ROW, ONE, 1.0)),
    "top5": Case(
        classes,
        lambda o, t: sk.top_k_accuracy_score(t, o, k=5, labels=range(7)),
        (torch.arange(7.0)[None], ONE, 0.0),
    ),
    "balanced_accuracy": Case(
        classes, lambda o, t: sk.balanced_accuracy_score(t, answers(o)), (ROW, ONE, 1.0)
    ),
    "macro_f1": Case(classes, lambda o, t: sk.f1_score(t, answers(o), average="macro"), (ROW, 0 * ONE, 0.0)),
    "binary_accuracy": Case(
        yes_or_no,
        lambda o, t: sk.accuracy_score(t, (o[:, 0] > 0).long()),
        (torch.tensor([[-0.1]]), ONE, 0.0),
    ),
    "multilabel_f1": Case(
        labels,
        lambda o, t: sk.f1_score(t, (o > 0).long(), average="micro"),
        (torch.tensor([[1.0, 1.0, -1.0]]), torch.tensor([[1, 0, 0]]), 2 / 3),
    ),
    "mean_iou": Case(
        masks,
        lambda o, t: sk.jaccard_score(*pixels(o, t), average="macro"),
        (MASK, torch.tensor([[[0, 0, 0, 1]]]), (2 / 3 + 1 / 2) / 2),
    ),
    "dice": Case(
        masks,
        lambda o, t: sk.f1_score(*pixels(o, t), average="macro"),
        (MASK, torch.tensor([[[0, 0, 0, 255]]]), (4 / 5 + 0) / 2),
    ),
    "detection_f1": Case(boxes, detection_loop, (BOX, TRUE_BOX, 2 / 3)),
    "mean_average_precision": Case(boxes, coco, (BOX, TRUE_BOX, 0.7)),  # IoU 0.8: seven of ten overlaps
    "mae": Case(
        numbers,
        lambda o, t: sk.mean_absolute_error(t, o),
        (torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 5.0]]), 2.0),
    ),
    "rmse": Case(
        numbers,
        lambda o, t: math.sqrt(sk.mean_squared_error(t, o)),
        (torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 9.0]]), 5.0),
    ),
    "r2": Case(numbers, lambda o, t: sk.r2_score(t, o), (torch.tensor([[1.0]]), torch.tensor([[2.0]]), 0.0)),
    "perplexity": Case(texts, perplexed, (TEXT, torch.tensor([[0, 1, -100]]), 2.0)),
    "bits_per_byte": Case(with_bytes, bits, (TEXT, (torch.tensor([[0, 1, -100]]), torch.tensor([4])), 0.5)),
    "next_token_accuracy": Case(
        texts,
        lambda o, t: sk.accuracy_score(t[t != -100], o.argmax(2)[t != -100]),
        (TEXT, torch.tensor([[-100, -100, 1]]), 0.0),
    ),
    "recall_at_1": Case(embeddings, neighbours_loop, (torch.ones(1, 3), ONE, 0.0)),
    "same_answer": Case(
        twins, lambda o, t: sk.accuracy_score(answers(t), answers(o)), (ROW, ROW.flip(1), 1.0)
    ),
    "kl_divergence": Case(twins, nats, (torch.tensor([[0.0, 0.0]]), torch.tensor([[100.0, 0.0]]), HALF)),
    "cosine_similarity": Case(
        twins,
        cosine_loop,
        (torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]]), math.sqrt(0.5)),
    ),
    "relative_error": Case(
        twins,
        lambda o, t: float(np.linalg.norm(o - t) / np.linalg.norm(t)),
        (torch.tensor([[3.0, 0.0]]), torch.tensor([[3.0, 4.0]]), 0.8),
    ),
}
