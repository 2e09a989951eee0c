"""Turns a claim and evidence into a verdict. Each case is answered by an interval; the verdict follows from
the answers.

    holds                none says no, at least half say yes, and at least one of each case does
    holds only when      some say yes, some say no
    does not hold here   none says yes, at least half say no, and at least one of each case does
    not resolved here    otherwise, or if fewer than 95 % of resampled experiments give the same verdict

All comparisons of a claim share one error rate of 5 % (Bonferroni).
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import torch
from torch import Tensor

from .claim_tables import xs_of
from .evidence import Evidence
from .values import COSTS, DENSE, Case, Lesson, VerdictName

Said = Literal["yes", "no", "open"]
RESAMPLES = 400
STABLE = 0.95  # share of resampled experiments that must give the same verdict
FEWEST_ROUNDS = 6


@dataclass(frozen=True)
class CaseComparison:
    """One comparison: its value with its interval, and its answer.

    Args:
        low, high: at the level that all comparisons of the claim share; equal for counts, which have no
            noise.
        why: there is nothing to compare, and why; then the numbers are not a number.
    """

    case: Case
    x: float
    estimate: float
    low: float
    high: float
    said: Said
    why: str = ""


@dataclass(frozen=True)
class Finding:
    """The verdict of a claim on an experiment.

    Args:
        stability: share of resampled experiments with the same verdict, before an unstable one was withdrawn.
        level: of each interval.
    """

    verdict: VerdictName
    comparisons: tuple[CaseComparison, ...]
    stability: float
    level: float


def answer(low: float, high: float, case: Case) -> Said:
    """Return whether the value is certainly within the case's bounds, certainly outside, or neither."""
    if case.quantity == "told_apart":
        return "yes" if low > 0 or high < 0 else "no"
    if case.above < low and high < case.below:
        return "yes"
    return "no" if high <= case.above or low >= case.below else "open"


def verdict_of(said: Sequence[Said], cases: Sequence[Hashable] = ()) -> VerdictName:
    """Return the verdict of a claim's answers.

    Args:
        cases: which case each answer belongs to; () = all to one.

    >>> verdict_of(["yes", "yes", "no"]), verdict_of(["yes", "open"])
    ('conditional', 'holds')
    >>> verdict_of(["yes", "open"], ["speed", "size"])
    'open'
    """
    owners = cases or [None] * len(said)
    yes, no = said.count("yes"), said.count("no")
    if yes and no:
        return "conditional"
    for word, count, verdict in (("yes", yes, "holds"), ("no", no, "fails")):
        backed = {case for one, case in zip(said, owners, strict=True) if one == word}
        if count and count * 2 >= len(said) and backed == set(owners):
            return verdict  # type: ignore[return-value]
    return "open"


def judge(lesson: Lesson, evidence: Evidence) -> Finding | None:
    """Return the verdict of the lesson's claim, or None while something that it needs is not measured."""
    wanted = [(case, x) for case in lesson.claim.cases for x in xs_of(case, lesson.experiment)]
    values = {(case, x): values_of(case, x, evidence) for case, x in wanted if not evidence.why_not(case, x)}
    known = {place: sample for place, sample in values.items() if sample is not None}
    if len(known) < len(values):
        return None
    noisy = sum(len(sample) > 1 for sample in known.values())
    level = 1 - 0.05 / max(1, noisy)
    comparisons = tuple(
        _comparison(case, x, known[case, x], level)
        if (case, x) in known
        else CaseComparison(case, x, math.nan, math.nan, math.nan, "open", evidence.why_not(case, x))
        for case, x in wanted
    )
    verdict = verdict_of([one.said for one in comparisons], [one.case for one in comparisons])
    stability = _stability(wanted, known, level, verdict)
    return Finding(verdict if stability >= STABLE else "open", comparisons, stability, level)


# --------------------------------------------------------------------------- values


def values_of(case: Case, x: float, evidence: Evidence) -> Tensor | None:
    """Return what a comparison averages: one number per sample (or per round of the clock); a single number
    for a count.

    Returns: (n,) float64, or None if it was not measured.
    """
    if case.quantity == "speed":
        own, other = evidence.times.get((case.arm, x, case.batch)), _reference_times(case, x, evidence)
        return torch.tensor(other).double() / torch.tensor(own).double() if own and other else None
    point, against = evidence.at(case.arm, x), evidence.other(case, x)
    if point is None or against is None:
        return None
    if case.quantity in COSTS:
        own_cost, whole = cost_of(point.measured, case.quantity), cost_of(against.measured, case.quantity)
        return torch.tensor([own_cost / whole]).double() if own_cost is not None and whole else None
    if case.quantity == "kept":
        return _kept(case, x, evidence)
    if case.quantity == "agreement":
        return (point.predictions == against.predictions).double()
    if case.quantity == "joint":
        return _joint(case, x, evidence)
    return point.correct.double() - against.correct.double()


def _kept(case: Case, x: float, evidence: Evidence) -> Tensor | None:
    """Return numbers whose mean is the share of the dense model's right answers that an arm still gives,
    minus that of the other arm, and whose spread is that of this mean (the delta method).

    Two arms may have different models and samples. Theirs are then put one after the other, each stretched so
    that the variance of the mean of all is the sum of the variances of both.
    """
    shares = [_share_kept(name, x, evidence) for name in (case.arm, case.against) if name != DENSE]
    known = [share for share in shares if share is not None]
    if len(known) < len(shares):
        return None
    if len(known) == 1:
        return known[0]
    own, other = known
    total, difference = len(own) + len(other), own.mean() - other.mean()
    parts = [sign * total / len(one) * (one - one.mean()) for sign, one in ((1, own), (-1, other))]
    return torch.cat(parts) + difference


def _share_kept(arm: str, x: float, evidence: Evidence) -> Tensor | None:
    """Return the share of right answers that an arm keeps, linearised: one number for each sample."""
    point, dense = evidence.at(arm, x), evidence.dense.get(arm)
    if point is None or dense is None or not bool(dense.correct.any()):
        return None
    own, base = point.correct.double(), dense.correct.double()
    share = own.mean() / base.mean()
    return share + (own - share * base) / base.mean()


def _reference_times(case: Case, x: float, evidence: Evidence) -> tuple[float, ...] | None:
    return evidence.times.get(
        (DENSE, 0.0, case.batch) if case.against == DENSE else (case.against, x, case.batch)
    )


def _joint(case: Case, x: float, evidence: Evidence) -> Tensor | None:
    """Return what the arm loses, minus the sum of what the others lose alone."""
    together, dense = evidence.at(case.arm, x), evidence.dense.get(case.arm)
    singles = [evidence.at(name, x) for name in case.sum_of]
    if together is None or dense is None or any(single is None for single in singles):
        return None
    base = dense.correct.double()
    alone = torch.stack([base - single.correct.double() for single in singles if single is not None]).sum(0)
    return (base - together.correct.double()) - alone


def cost_of(measured: object, quantity: str) -> float | None:
    """Return a cost of a measurement by its name, or None if it was not measured."""
    if quantity in ("params", "nonzero_params", "macs"):
        return getattr(measured, quantity)
    return (getattr(measured, "size_bytes", None) or {}).get(quantity)


# --------------------------------------------------------------------------- intervals


def _comparison(case: Case, x: float, sample: Tensor, level: float) -> CaseComparison:
    low, high = (float(end[0]) for end in interval(case, sample[None], level))
    estimate = float(sample.quantile(0.5) if case.quantity == "speed" else sample.mean())
    return CaseComparison(case, x, estimate, low, high, answer(low, high, case))


def interval(case: Case, samples: Tensor, level: float) -> tuple[Tensor, Tensor]:
    """Return the interval of each row of (rows, n): exact for counts, of the mean for samples, of the median
    for times.

    The mean's has one observation of +1 and one of -1 added (0 and 1 for shares; around the mean for what is
    kept), which for two models on the
    same samples is the interval of Bonett and Price (2012, doi:10.3102/1076998611411915): it has a width even
    if nothing flips.
    """
    if samples.shape[1] == 1:
        return samples[:, 0], samples[:, 0]
    if case.quantity == "speed":
        return _median_interval(samples, level)
    ends = torch.tensor((0.0, 1.0) if case.quantity == "agreement" else (-1.0, 1.0)).double()
    ends = ends.expand(len(samples), 2) + (samples.mean(1, keepdim=True) if case.quantity == "kept" else 0)
    padded = torch.cat([samples, ends], 1)
    half = NormalDist().inv_cdf((1 + level) / 2) * padded.std(1, correction=0) / math.sqrt(padded.shape[1])
    return padded.mean(1) - half, padded.mean(1) + half


def _median_interval(samples: Tensor, level: float) -> tuple[Tensor, Tensor]:
    """Return the interval between two order statistics, for any distribution; unbounded if there are too few
    rounds.
    """
    n, chance, rank = samples.shape[1], 0.0, 0
    while rank < n and chance + math.comb(n, rank) / 2**n <= (1 - level) / 2:
        chance += math.comb(n, rank) / 2**n
        rank += 1
    if not rank or n < FEWEST_ROUNDS:
        return torch.full((len(samples),), -math.inf).double(), torch.full((len(samples),), math.inf).double()
    ordered = samples.sort(1).values
    return ordered[:, rank - 1], ordered[:, n - rank]


def _stability(
    wanted: Sequence[tuple[Case, float]],
    known: Mapping[tuple[Case, float], Tensor],
    level: float,
    verdict: VerdictName,
) -> float:
    """Return the share of bootstrap experiments (samples and rounds drawn again, the same for all
    comparisons) with this verdict.
    """
    drawn: dict[tuple[int, bool], Tensor] = {}
    columns: list[list[Said]] = []
    for case, x in wanted:
        sample = known.get((case, x))
        if sample is None:
            columns.append(["open"] * RESAMPLES)
            continue
        key = (len(sample), case.quantity == "speed")
        if key not in drawn:
            generator = torch.Generator().manual_seed(len(sample))
            drawn[key] = torch.randint(len(sample), (RESAMPLES, len(sample)), generator=generator)
        lows, highs = interval(case, sample[drawn[key]], level)
        columns.append(
            [answer(low, high, case) for low, high in zip(lows.tolist(), highs.tolist(), strict=True)]
        )
    cases = [case for case, _ in wanted]
    return sum(verdict_of(row, cases) == verdict for row in zip(*columns, strict=True)) / RESAMPLES
