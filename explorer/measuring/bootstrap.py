"""Rows of statistics -> the interval of any metric: a Poisson bootstrap over samples, seeded, as one matrix
product.

A resample counts each sample as often as a Poisson variable of mean 1 says. The counts are the same for every
model, so two models on the same samples are compared pair by pair.
"""

import math
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import torch
from torch import Tensor

from ..errors import ExplorerError
from ..values.metric import Metric
from ..values.report import Drop
from .resamples import Resampled, resample_weights, resampled_sums
from .statistics import paired_drop, student_quantile, verdict, wilson

OF_ROWS = 200  # resamples for a metric of rows instead of sums, which takes longer
MOST_SKEW = 2.5  # maximum length of an end of the bootstrap-t interval, in those of a symmetric one
ROUNDING = 1e-9  # by which a value may be beyond a limit of its metric
FEW = 25  # differing samples, below which a resample may contain hardly any of them


def is_proportion(metric: Metric, rows: Tensor) -> bool:
    """Whether each sample is right or wrong and the value is the share of right ones, which has exact
    intervals.
    """
    if metric.of_rows or metric.unit != "%" or rows.shape[1] != 2 or not len(rows):
        return False
    right = rows[:, 0]
    if not bool((rows[:, 1] == 1).all()) or not bool(((right == 0) | (right == 1)).all()):
        return False
    return math.isclose(value_of(metric, rows), float(right.mean()), abs_tol=1e-12)


def value_of(metric: Metric, rows: Tensor) -> float:
    """Return the metric's value on all samples.

    Raises:
        ExplorerError: it gives no number.
    """
    if metric.of_rows:
        value = float(_of_rows(metric, rows, torch.ones(1, len(rows), dtype=torch.float64))[0])
    else:
        value = float(of_sums(metric, rows.sum(0)))
    if math.isnan(value):
        raise ExplorerError(
            f"The value of metric {metric.name!r} is no number (NaN) for the first {len(rows):,} samples; "
            "check what it divides by."
        )
    return value


def _of_rows(metric: Metric, rows: Tensor, weights: Tensor) -> Tensor:
    """Return (r,) values of (n, k) rows at (r, n) weights of the samples."""
    values = metric.value(rows, weights)
    return _in_shape(metric, values, weights.shape[:1], "(n, k) rows and (r, n) weights", "(r,)")


def of_sums(metric: Metric, sums: Tensor) -> Tensor:
    """Return (...) values of (..., k) sums of rows.

    Raises:
        ExplorerError: the metric gives another shape.
    """
    return _in_shape(metric, metric.value(sums), sums.shape[:-1], f"(..., {sums.shape[-1]}) sums", "(...)")


def _in_shape(metric: Metric, values: Any, shape: torch.Size, of: str, to: str) -> Tensor:
    if not isinstance(values, Tensor) or values.shape != shape:
        got = f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else f"a {type(values).__name__}"
        raise ExplorerError(
            f"The value of metric {metric.name!r} must turn {of} into numbers of shape {to}, here "
            f"{tuple(shape)}, got {got}."
        )
    return values


def _values(metric: Metric, sample: Resampled) -> Tensor:
    """Return (resamples,) values."""
    return sample.kept(_new_values, metric)


def _new_values(metric: Metric, sample: Resampled) -> Tensor:
    if metric.of_rows:
        return _of_rows(metric, sample.rows, resample_weights(len(sample.rows), OF_ROWS))
    return of_sums(metric, sample.sums)


def interval(metric: Metric, of: Tensor | Resampled, level: float = 0.95) -> tuple[float, float, float]:
    """Return the value of a metric, and the ends of its interval, which are values that it can have.

    Args:
        of: (samples, k) float64 rows, at least one.
    """
    sample = _resampled(of)
    value = value_of(metric, sample.rows)
    metric = _within(metric, value)
    low, high = _ends(metric, value, sample, level)
    least, most = metric.limits
    return value, min(value, max(least, low)), max(value, min(most, high))


def _within(metric: Metric, *values: float) -> Metric:
    """Return the metric itself, without a limit that one of its values is beyond, as the user's may be."""
    least, most = metric.limits
    is_low, is_high = min(values) < least - ROUNDING, max(values) > most + ROUNDING
    if not (is_low or is_high):
        return metric
    return replace(metric, least=-math.inf if is_low else least, most=math.inf if is_high else most)


def _resampled(of: Tensor | Resampled) -> Resampled:
    return of if isinstance(of, Resampled) else Resampled(of)


def _ends(metric: Metric, value: float, sample: Resampled, level: float) -> tuple[float, float]:
    rows = sample.rows
    if metric.in_logs:
        logarithm = replace(metric, value=lambda sums: metric.value(sums).log(), in_logs=False)
        ends = _ends(logarithm, value_of(logarithm, rows), sample, level)
        low, high = torch.tensor(ends, dtype=torch.float64).exp().tolist()
        return low, high
    if is_proportion(metric, rows):
        return wilson(round(float(rows[:, 0].sum())), len(rows), level)
    low, high = _spread(value, _values(metric, sample), _influence(metric, sample), level)
    if metric.is_bounded and _differing(rows, rows.mode(0).values.expand_as(rows)) < FEW:
        return _at_least(low, high, wilson(round(value * len(rows)), len(rows), level))
    return low, high


def paired(
    metric: Metric, base_of: Tensor | Resampled, pruned_of: Tensor | Resampled, level: float = 0.95
) -> Drop:
    """Return the change of a metric between two models on the same samples, baseline - pruned, with interval
    and verdict.

    If few samples differ, one swap of each kind is added to the interval, as Bonett and Price add one flip:
    rows of the two samples that change the value most, once in each direction.
    """
    before_cut, after_cut = _resampled(base_of), _resampled(pruned_of)
    base, pruned = before_cut.rows, after_cut.rows
    samples = len(base)
    if is_proportion(metric, base) and is_proportion(metric, pruned):
        before, after = base[:, 0] == 1, pruned[:, 0] == 1
        worse, better = int((before & ~after).sum()), int((~before & after).sum())
        return _worded(paired_drop(worse, better, samples, delta=metric.margin, level=level), metric)
    value = value_of(metric, base)
    metric = _within(metric, value, value_of(metric, pruned))
    estimate, low, high = _difference(metric, before_cut, after_cut, level)
    if not metric.of_rows and _differing(base, pruned) < FEW and samples > 1:
        swapped = tuple(map(Resampled, _with_swaps(metric, base, pruned)))
        low, high = _at_least(low, high, _difference(metric, swapped[0], swapped[1], level)[1:])
    least, most = metric.limits
    low, high = max(least - most, low), min(most - least, high)
    margin = metric.margin * (abs(value) if metric.is_relative else 1)
    return _worded(Drop(estimate, low, high, verdict(low, high, margin), level), metric, margin)


def _difference(
    metric: Metric, base: Resampled, pruned: Resampled, level: float
) -> tuple[float, float, float]:
    """Return baseline - pruned, and the ends of its interval."""
    estimate = value_of(metric, base.rows) - value_of(metric, pruned.rows)
    values = _values(metric, base) - _values(metric, pruned)
    influence = _influence(metric, base) - _influence(metric, pruned)
    return estimate, *_spread(estimate, values, influence, level)


def _worded(drop: Drop, metric: Metric, margin: float | None = None) -> Drop:
    """Add what the drop is a drop of."""
    margin = metric.margin if margin is None else margin
    return replace(drop, metric=metric.name, unit=metric.unit, better=metric.better, margin=margin)


def _differing(rows: Tensor, others: Tensor) -> int:
    """Return how many samples have different rows."""
    return int((rows != others).any(1).sum())


def _at_least(low: float, high: float, other: tuple[float, float]) -> tuple[float, float]:
    return min(low, other[0]), max(high, other[1])


def _spread(estimate: float, values: Tensor, influence: Tensor, level: float) -> tuple[float, float]:
    """Return the widest of three intervals at each end, since each is too narrow somewhere: that of the
    resamples' quantiles, that of their spread around the estimate with Student's quantile, and the
    bootstrap-t interval of the samples' influence, which is right if influence is skewed.

    Quantiles are those at the level at which a t-interval of this many samples has its own.
    """
    samples = len(influence)
    if samples < 2:
        return -math.inf, math.inf
    reach = (1 + 2 / samples) * math.sqrt(samples / (samples - 1)) * student_quantile(level, samples - 1)
    share = NormalDist().cdf(reach)
    ends = torch.tensor([1 - share, share], dtype=torch.float64)
    half = reach * float(values.std())
    low, high = _at_least(estimate - half, estimate + half, tuple(torch.quantile(values, ends).tolist()))
    error = float(influence.std()) / math.sqrt(samples)
    if error > 0:
        scores = (
            torch.quantile(_scores(influence), ends).clamp(-MOST_SKEW * reach, MOST_SKEW * reach).tolist()
        )
        low, high = _at_least(low, high, (estimate - scores[1] * error, estimate - scores[0] * error))
    return low, high


def _scores(influence: Tensor) -> Tensor:
    """Return (RESAMPLES,) mean influence in each resample, in its own standard errors."""
    centred = influence - influence.mean()
    sums = resampled_sums(torch.stack([torch.ones_like(centred), centred, centred.square()], 1))
    mean, square = sums[:, 1] / sums[:, 0], sums[:, 2] / sums[:, 0]
    error = ((square - mean.square()).clamp_min(0) / sums[:, 0]).sqrt()
    return torch.where(error > 0, mean / error.clamp_min(1e-300), mean.sign() * math.inf)


def _influence(metric: Metric, sample: Resampled) -> Tensor:
    """Return (samples,) how much the value changes with each sample: n times the change by one more such
    sample.
    """
    return sample.kept(_new_influence, metric)


def _new_influence(metric: Metric, sample: Resampled) -> Tensor:
    rows = sample.rows
    if metric.of_rows:
        return torch.zeros(len(rows), dtype=torch.float64)
    total = rows.sum(0)
    return len(rows) * (of_sums(metric, total + rows) - of_sums(metric, total))


def _with_swaps(metric: Metric, base: Tensor, pruned: Tensor) -> tuple[Tensor, Tensor]:
    """Return both models with two more samples: the one that raises the value most and the one that lowers it
    most, once each way.
    """
    rows = torch.cat([base, pruned])
    moved = of_sums(metric, rows.sum(0) + rows)
    up, down = rows[moved.argmax()], rows[moved.argmin()]
    return torch.cat([base, torch.stack([up, down])]), torch.cat([pruned, torch.stack([down, up])])
