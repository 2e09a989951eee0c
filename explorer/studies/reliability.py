"""Compares a model's confidences with its accuracy in bins, and measures the gap (ECE)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

BINS = 15  # of equal width


@dataclass(frozen=True)
class Bin:
    """Samples whose confidence is in one bin: how many, how many right, and the sum of their confidences."""

    samples: int
    correct: int
    confidence: float


@dataclass(frozen=True)
class Reliability:
    """Bins of equal width over confidences from 0 to 1."""

    bins: tuple[Bin, ...]

    @property
    def samples(self) -> int:
        return sum(found.samples for found in self.bins)

    @property
    def ece(self) -> float:
        """Return the expected calibration error: mean distance of confidence and accuracy over the bins, as a
        fraction.

        (Guo et al. 2017, arXiv:1706.04599)
        """
        return sum(abs(found.correct - found.confidence) for found in self.bins) / max(1, self.samples)

    @property
    def chance(self) -> float:
        """Return the average error that this many samples would show for a model with exactly right
        confidences, as a fraction.
        """
        filled = [found for found in self.bins if found.samples]
        return sum(mean_deviation(found.samples, found.confidence / found.samples) for found in filled) / max(
            1, self.samples
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Reliability":
        return cls(tuple(Bin(**found) for found in data["bins"]))


def mean_deviation(samples: int, chance: float) -> float:
    """Return the mean absolute deviation of a binomial count: 2 k C(n, k) p^k q^(n-k+1) with k = floor(np) +
    1 (De Moivre 1730).

    >>> mean_deviation(2, 0.5)  # 0, 1 or 2 with chances 1/4, 1/2, 1/4
    0.5
    """
    if not 0 < chance < 1:
        return 0.0
    k = math.floor(samples * chance) + 1
    # logarithms, because the binomial coefficients of a few thousand samples exceed any float
    choose = math.lgamma(samples + 1) - math.lgamma(k + 1) - math.lgamma(samples - k + 1)
    return round(
        2 * k * math.exp(choose + k * math.log(chance) + (samples - k + 1) * math.log1p(-chance)), 12
    )


def reliability(confidences: Tensor, correct: Tensor) -> Reliability:
    """Sort (n,) confidences in [0, 1] and (n,) bool into bins; a confidence on a border belongs to the lower
    bin.
    """
    place = ((confidences.double() * BINS).ceil().long() - 1).clamp(0, BINS - 1)
    samples, right = (torch.bincount(chosen, minlength=BINS).tolist() for chosen in (place, place[correct]))
    sums = torch.zeros(BINS, dtype=torch.double).index_add_(0, place, confidences.double()).tolist()
    return Reliability(tuple(Bin(*row) for row in zip(samples, right, sums, strict=True)))
