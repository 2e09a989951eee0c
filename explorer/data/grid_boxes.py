"""What the outputs of a single-shot detector mean: a box and class scores at each place of a few grids.

No anchors: each place says how far the sides of its box are (Tian et al. 2019, arXiv:1904.01355). Places are
in the order of the grids, each row by row.
"""

from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import softplus

STRIDES = (4, 8)  # pixels between places: of the fine grid for small boxes, and of the coarse one
LARGEST = 16  # pixels: longest side of a box for the fine grid
CANDIDATES, SHOWN = 24, 12  # places of a picture, the surest first, of which at most so many boxes are shown
OVERLAP = 0.5  # (IoU) from which the less sure of two boxes of a class is dropped
LEAST_SCORE = 0.05
# exponent of the focal loss; it has no weights of classes, so that a score of 0.5 means as likely as not
EASY = 2.0


@cache
def centres(side: int, strides: tuple[int, ...] = STRIDES) -> Tensor:
    """Return (places, 3): x and y of each place of a square picture, and the stride of its grid."""
    grids = []
    for stride in strides:
        line = (torch.arange(side // stride) + 0.5) * stride
        y, x = torch.meshgrid(line, line, indexing="ij")
        grids.append(torch.stack([x, y, torch.full_like(x, stride)], -1).reshape(-1, 3))
    return torch.cat(grids)


def overlap(boxes: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Return intersection over union of (..., 4) boxes, and the area of the smallest box around both."""
    low, high = torch.maximum(boxes[..., :2], others[..., :2]), torch.minimum(boxes[..., 2:], others[..., 2:])
    both = (high - low).clamp_min(0).prod(-1)
    areas = [(b[..., 2:] - b[..., :2]).clamp_min(0).prod(-1) for b in (boxes, others)]
    union = areas[0] + areas[1] - both
    low, high = torch.minimum(boxes[..., :2], others[..., :2]), torch.maximum(boxes[..., 2:], others[..., 2:])
    around = (high - low).prod(-1).clamp_min(1e-6)
    return both / union.clamp_min(1e-6), around - union


def assigned(places: Tensor, targets: Tensor) -> Tensor:
    """Return (n, places) int64: which true box each place has to say, -1: none.

    A place has the box whose centre is within one and a half strides, on the grid of the box's size; of
    several the smallest.

    Args:
        places: see `centres`.
        targets: (n, boxes, 5) of x1, y1, x2, y2, label (-1: no box).
    """
    middle, sides = (targets[..., :2] + targets[..., 2:4]) / 2, targets[..., 2:4] - targets[..., :2]
    stride, longest = places[:, 2], sides.amax(-1)
    near = ((places[:, None, :2] - middle[:, None]).abs().amax(-1) < 1.5 * stride[:, None]) & (
        (stride == STRIDES[0])[:, None] == (longest <= LARGEST)[:, None]
    )
    cost = torch.where(near & (targets[:, None, :, 4] >= 0), sides.prod(-1)[:, None], torch.inf)
    least, which = cost.min(-1)
    return torch.where(least < torch.inf, which, -1)


def detection_loss(outputs: tuple[Tensor, Tensor], targets: Tensor) -> Tensor:
    """Return the mean loss of a batch: focal loss of the classes (Lin et al. 2017, arXiv:1708.02002), and
    generalised IoU of the boxes (Rezatofighi et al. 2019, arXiv:1902.09630), both per place with a box.

    Args:
        outputs: (n, places, classes) scores before the sigmoid, (n, places, 4) boxes in pixels.
        targets: (n, boxes, 5) of x1, y1, x2, y2, label (-1: no box).
    """
    scores, boxes = outputs[0].float(), outputs[1].float()
    side = round((scores.shape[1] / sum(stride**-2 for stride in STRIDES)) ** 0.5)
    which = assigned(centres(side).to(scores.device), targets.float())
    has = which >= 0
    mine = targets.float().gather(1, which.clamp_min(0)[..., None].expand(-1, -1, 5))
    wanted = scores[has].gather(1, mine[has][:, 4:].long())
    # all scores as if they should be low, then those that should be high put right: most should be low
    classes = _focal(scores) - _focal(wanted) + _focal(-wanted)
    shared, gap = overlap(boxes[has], mine[has][:, :4])
    around = torch.maximum(boxes[has][:, 2:], mine[has][:, 2:4]) - torch.minimum(
        boxes[has][:, :2], mine[has][:, :2]
    )
    apart = 1 - shared + gap / around.prod(-1).clamp_min(1e-6)
    return (classes + apart.sum()) / has.sum().clamp_min(1)


def _focal(scores: Tensor) -> Tensor:
    """Return the focal loss of scores that should be low."""
    return (scores.sigmoid() ** EASY * softplus(scores)).sum()


def boxes_of(outputs: tuple[Tensor, Tensor]) -> Tensor:
    """Return the boxes that a detector shows, (n, 12, 6) of x1, y1, x2, y2, score, label (-1: none), the
    surest first; of two that overlap and have one label the less sure is dropped.
    """
    scores, boxes = outputs[0].float(), outputs[1].float()
    best, labels = scores.max(-1)
    logits, chosen = best.topk(CANDIDATES, dim=1)
    boxes = boxes.gather(1, chosen[..., None].expand(-1, -1, 4))
    labels = labels.gather(1, chosen)
    kept = _kept(boxes, labels) & (logits > _logit(LEAST_SCORE))
    order = kept.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :SHOWN]
    columns = [boxes, logits.sigmoid()[..., None], torch.where(kept, labels, -1)[..., None].float()]
    return torch.cat(columns, -1).gather(1, order[..., None].expand(-1, -1, 6))


def _kept(boxes: Tensor, labels: Tensor) -> Tensor:
    """Return (n, boxes) bool: which of the boxes, the surest first, no surer one of their label hides."""
    shared = overlap(boxes[:, :, None], boxes[:, None])[0]
    hides = ((shared > OVERLAP) & (labels[:, :, None] == labels[:, None])).triu(1)
    kept = torch.ones_like(labels, dtype=torch.bool)
    for place in range(boxes.shape[1]):  # whether a box counts depends on those before it
        kept &= ~(hides[:, place] & kept[:, place, None])
    return kept


def _logit(share: float) -> float:
    return float(torch.logit(torch.tensor(share)))
