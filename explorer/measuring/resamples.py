"""Counts of resamples and sums of rows: what every interval of a bootstrap reads, computed once.

A resample counts each sample as often as a Poisson variable of mean 1 says. Counts are drawn a chunk of
samples at a time, so sums of the first samples are part of those of more.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import torch
from torch import Tensor

from ..machine.cache import Cache
from ..values.metric import Metric

RESAMPLES = 1000
CHUNK = 256  # samples whose counts are drawn together, from their own seed
_weights = Cache(16, "weights of resamples", 32 * 2**20)  # converting takes longer than multiplying


@cache
def _counts(chunk: int) -> Tensor:
    """Return (RESAMPLES, CHUNK) uint8 counts, the same in every process."""
    generator = torch.Generator().manual_seed(chunk)
    return torch.poisson(torch.ones(RESAMPLES, CHUNK), generator=generator).to(torch.uint8)


def _weights_of(chunk: int) -> Tensor:
    """Return (RESAMPLES, CHUNK) float64 counts."""
    known: Tensor | None = _weights.get(chunk)
    return _weights.put(chunk, _counts(chunk).double()) if known is None else known


def resample_weights(samples: int, resamples: int = RESAMPLES) -> Tensor:
    """Return (resamples, samples) float64 weights; those of the first samples do not depend on how many there
    are.

    >>> torch.equal(resample_weights(300)[:, :10], resample_weights(10))
    True
    """
    chunks = range(math.ceil(samples / CHUNK))
    return torch.cat([_counts(k)[:resamples] for k in chunks], 1)[:, :samples].double()


@dataclass(frozen=True, eq=False)
class FirstSums:
    """Sums of the first rows, from which those of more rows go on: the same additions in the same order.

    Args:
        chunks: of samples that they are of.
        sums: (RESAMPLES, k) float64.
    """

    chunks: int
    sums: Tensor


def resampled_sums(rows: Tensor) -> Tensor:
    """Return (RESAMPLES, k) sums of (samples, k) rows, a chunk of samples at a time."""
    return _sums_after(None, rows)[0]


def _sums_after(known: FirstSums | None, rows: Tensor) -> tuple[Tensor, FirstSums]:
    """Return the same, and the sums of the whole chunks among them.

    Args:
        known: of the first of these rows.
    """
    start = known or FirstSums(0, torch.zeros(RESAMPLES, rows.shape[1], dtype=torch.float64))
    sums, whole = start.sums, len(rows) // CHUNK
    for k in range(start.chunks, whole):
        sums = sums + _weights_of(k) @ rows[k * CHUNK : (k + 1) * CHUNK]
    begun, rest = FirstSums(whole, sums), rows[whole * CHUNK :]
    return (sums + _weights_of(whole)[:, : len(rest)] @ rest if len(rest) else sums), begun


@dataclass(frozen=True, eq=False)
class Resampled:
    """Rows of statistics, (samples, k) float64, with what every interval of theirs reads, computed once.

    Args:
        known: sums of the first rows.
    """

    rows: Tensor
    known: FirstSums | None = None
    _kept: dict[Any, Tensor] = field(default_factory=dict)  # what a metric makes of them

    @cached_property
    def _sums(self) -> tuple[Tensor, FirstSums]:
        return _sums_after(self.known, self.rows)

    @property
    def sums(self) -> Tensor:
        """Return (RESAMPLES, k) sums."""
        return self._sums[0]

    @property
    def begun(self) -> FirstSums | None:
        """Return the sums that those of more rows go on from, as far as they are known."""
        return self._sums[1] if "_sums" in vars(self) else self.known

    def kept(self, make: "Callable[[Metric, Resampled], Tensor]", metric: Metric) -> Tensor:
        """Return make(metric, self), computed once for each value of a metric."""
        key = make, metric.value
        if key not in self._kept:
            self._kept[key] = make(metric, self)
        return self._kept[key]
