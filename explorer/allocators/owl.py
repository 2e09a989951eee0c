"""Layers with more outliers keep more."""

import re

from torch import Tensor

from ..registry import ALLOCATORS
from ..values.profile import Scores
from .context import AllocationContext, Ratios, all_but_one, spread, unit_counts

LAYER = re.compile(r"^(.*?\.)?\d+(?=\.)")  # to the first number: model.layers.3 of model.layers.3.mlp.up
LEAST = 1e-3  # lowest wished density, so that no layer is emptied


@ALLOCATORS.register("owl", rank=8, needs_scores=True, needs_scan=False, scores_of="wanda")
def owl(
    scores: Scores, target: float, context: AllocationContext, *, outlier: float = 5.0, span: float = 0.08
) -> Ratios:
    """Layers with more outliers keep more: weights whose Wanda score is some times the mean of their layer
    (OWL, Yin et al. 2023, arXiv:2310.05175).

    As in the paper the parts of one transformer layer share a ratio; parts without a number in their name
    have their own. Densities lie in a range around the target, in proportion to the share of outliers.

    Args:
        outlier: a score is an outlier above this many times the mean of its part.
        span: half of the width of the range of densities.

    >>> import torch
    >>> even, uneven = torch.ones(100), torch.cat([torch.ones(90), torch.full((10,), 100.0)])
    >>> owl({"a": even, "b": uneven}, 0.5, AllocationContext())
    {'a': 0.58, 'b': 0.42}

    Raises:
        TargetError: the target leaves less than one unit per part.
    """
    units = unit_counts(scores)
    layers = {part: _layer(part) for part in units}
    outliers, sizes = dict.fromkeys(layers.values(), 0), dict.fromkeys(layers.values(), 0)
    for part in units:
        outliers[layers[part]] += _outliers(scores[part], outlier)
        sizes[layers[part]] += units[part]
    shares = {layer: outliers[layer] / max(1, sizes[layer]) for layer in sizes}
    least, most = min(shares.values(), default=0.0), max(shares.values(), default=0.0)
    places = {
        layer: (share - least) / (most - least) if most > least else 0.5 for layer, share in shares.items()
    }
    total = max(1, sum(sizes.values()))
    middle = sum(places[layer] * size for layer, size in sizes.items()) / total
    odds = {part: max(LEAST, 1 - target + 2 * span * (places[layers[part]] - middle)) for part in units}
    highest = {part: all_but_one(n) for part, n in units.items()}
    return {part: round(ratio, 12) for part, ratio in spread("owl", target, units, odds, highest).items()}


def _layer(part: str) -> str:
    """
    >>> _layer("model.layers.3.mlp.up_proj"), _layer("conv1")
    ('model.layers.3', 'conv1')
    """
    match = LAYER.match(part)
    return match[0] if match else part


def _outliers(score: Tensor, times: float) -> int:
    """Return how many scores are above so many times their mean.

    >>> import torch
    >>> _outliers(torch.tensor([1.0, 1.0, 1.0, 9.0]), 2.0)
    1
    """
    return int((score > times * score.double().mean()).sum())
