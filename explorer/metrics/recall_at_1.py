"""Embeddings: is the nearest other sample one of the same kind?"""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..registry import METRICS
from ..values.metric import Metric
from .checks import rows, scores_of, share, whole_targets

NEIGHBOURS = 20  # of each sample to compare; a resample misses all of them with a probability of e^-20


@METRICS.register("recall_at_1", rank=40)
def recall_at_1() -> Metric:
    """Share of embeddings whose nearest other one (by cosine) has the same label."""
    return Metric("recall_at_1", "recall at 1", _statistics, _value, unit="%", of_rows=True)


def _statistics(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return (samples, width + 1): the embedding scaled to length 1, and its label."""
    found = scores_of("recall_at_1", outputs, (2,), "embeddings (samples, width)")
    return rows(normalize(found, dim=1), whole_targets("recall_at_1", targets, (len(found),)))


def _value(rows: Tensor, weights: Tensor) -> Tensor:
    if len(rows) < 2:
        return torch.zeros(len(weights), dtype=torch.float64)
    found, labels = rows[:, :-1], rows[:, -1]
    alike = found @ found.T
    alike.fill_diagonal_(-torch.inf)
    nearest = alike.topk(min(NEIGHBOURS, len(rows) - 1), 1).indices  # (n, neighbours), the nearest first
    same = (labels[nearest] == labels[:, None]).double()
    there = weights[:, nearest] > 0  # (r, n, neighbours)
    first = there & (there.cumsum(2) == 1)
    return share(torch.einsum("rnk,nk,rn->r", first.double(), same, weights), weights.sum(1))
