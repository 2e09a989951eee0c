"""Agreement with the dense model: the direction of its outputs."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity as cosine

from ..registry import METRICS
from ..values.metric import Metric
from .checks import ratio_of_two, rows
from .dense_outputs import side_by_side


@METRICS.register("cosine_similarity", rank=52)
def cosine_similarity() -> Metric:
    """Mean cosine between the outputs of the pruned and the dense model: 1 is the same direction; needs no
    labels.
    """
    return Metric(
        "cosine_similarity",
        "cosine similarity to the dense model",
        _statistics,
        ratio_of_two,
        margin=0.001,
        needs="dense",
        least=-1,
        most=1,
    )


def _statistics(outputs: Any, dense: Any) -> Tensor:
    ours, theirs = side_by_side("cosine_similarity", outputs, dense)
    found = cosine(ours, theirs, dim=1, eps=1e-30)
    found = torch.where((ours == theirs).all(1), torch.ones_like(found), found)  # two rows of zeros agree
    return rows(found, torch.ones_like(found))
