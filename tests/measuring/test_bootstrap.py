"""The paired bootstrap: what it does by hand, and how often its intervals hold the truth."""

import math
import os
from dataclasses import replace
from functools import cache

import pytest
import torch
from metrics.cases import CASES
from torch import Tensor

from explorer.measuring.bootstrap import interval, is_proportion, paired
from explorer.measuring.resamples import RESAMPLES, Resampled, resample_weights, resampled_sums
from explorer.measuring.statistics import look_schedule, looks_level, openings_level, paired_drop, wilson
from explorer.measuring.tally import Tally, joined
from explorer.metrics.checks import ratio_of_two
from explorer.registry import METRICS
from explorer.values.metric import Metric

HEAVY = os.environ.get("PRUNING_EXPLORER_COVERAGE")  # the whole table, some minutes
SAMPLES, POPULATION = 50, 20_000
SWAPPED = -1.0  # the strength of no noise at all
STRENGTHS = (0.02, 0.1, 0.3, 1.0) if HEAVY else (0.3,)
RUNS = 1000 if HEAVY else 100
# a truth of 0.94 is below this by chance once in twenty times
LEAST = 0.94 - 1.64 * (0.94 * 0.06 / RUNS) ** 0.5


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def disturbed(outputs: Tensor, strength: float) -> Tensor:
    """What a pruned model would say: the outputs with noise on them; of boxes, corners and scores."""
    scale = torch.ones(outputs.shape[-1])
    if outputs.dim() == 3 and outputs.shape[2] == 6:
        scale = torch.tensor([8.0, 8, 8, 8, 0.3, 0])
    return outputs + strength * scale * torch.randn(outputs.shape, generator=rng(5))


@cache
def population(name: str, strength: float) -> tuple[Metric, Tensor, Tensor]:
    """A metric, and rows of the dense and the pruned model for many samples; `SWAPPED` gives both the same
    rows in another order, so that the models differ in 30 % of the samples, and not on the whole.
    """
    metric, case = METRICS[name](), CASES[name]
    if strength == SWAPPED:
        base = population(name, 0.3)[1]
        pruned, chosen = base.clone(), torch.randperm(len(base), generator=rng(6))[: int(0.3 * len(base))]
        pruned[chosen] = base[chosen.roll(1)]
        return metric, base, pruned
    size = 2000 if metric.of_rows else POPULATION
    outputs, targets = case.make(rng(7), size)
    if metric.needs == "dense":
        return (
            metric,
            metric.statistics(targets, targets),
            metric.statistics(disturbed(targets, strength), targets),
        )
    return (
        metric,
        metric.statistics(outputs, targets),
        metric.statistics(disturbed(outputs, strength), targets),
    )


def whole(metric: Metric, rows: Tensor) -> float:
    ones = torch.ones(1, len(rows), dtype=torch.float64)
    return float(metric.value(rows, ones)[0] if metric.of_rows else metric.value(rows.sum(0)))


def covered(name: str, strength: float, samples: int = SAMPLES, runs: int = RUNS) -> tuple[float, float]:
    """How often the intervals of one model and of the drop hold the value of the whole population."""
    metric, base, pruned = population(name, strength)
    value = whole(metric, base)
    drop = value - whole(metric, pruned)
    generator, one, both = rng(11), 0, 0
    for _ in range(runs):
        chosen = torch.randint(len(base), (samples,), generator=generator)
        _, low, high = interval(metric, base[chosen])
        one += low - 1e-9 <= value <= high + 1e-9
        found = paired(metric, base[chosen], pruned[chosen])
        both += found.low - 1e-9 <= drop <= found.high + 1e-9
    return one / runs, both / runs


QUICK = "macro_f1 mean_iou detection_f1 r2 perplexity cosine_similarity mae".split()
ADDED = [name for name in CASES if not METRICS[name]().of_rows]
OF_ROWS = [name for name in CASES if METRICS[name]().of_rows]


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("name", ADDED if HEAVY else QUICK)
def test_coverage_of_fifty_samples(name, strength):
    one, both = covered(name, strength)
    print(f"{name:24} {strength:5} {one:.3f} {both:.3f}")
    assert both >= LEAST
    exact = is_proportion(*population(name, strength)[:2])  # whose own interval is Wilson's
    assert exact or one >= LEAST


@pytest.mark.skipif(not HEAVY, reason="set PRUNING_EXPLORER_COVERAGE=1 for the whole table")
@pytest.mark.parametrize("name", OF_ROWS)
def test_coverage_of_metrics_that_no_sum_decides(name):
    one, both = covered(name, 0.3, runs=200)
    print(f"{name:24} {0.3:5} {one:.3f} {both:.3f}")
    assert min(one, both) >= 0.94


def stopped(level: float, runs: int, name: str = "mae", strength: float = 0.05) -> float:
    """Coverage where one stops at the first verdict of several looks."""
    metric, base, pruned = population(name, strength)
    drop, looks = whole(metric, base) - whole(metric, pruned), look_schedule(400, 50)
    generator, held = rng(3), 0
    for _ in range(runs):
        chosen = torch.randint(len(base), (looks[-1],), generator=generator)
        for look in looks:
            found = paired(metric, base[chosen[:look]], pruned[chosen[:look]], level)
            if found.verdict != "undecided":
                break
        held += found.low <= drop <= found.high
    return held / runs


@pytest.mark.parametrize("strength", (SWAPPED, 0.05, 0.3) if HEAVY else (SWAPPED,))
@pytest.mark.parametrize("name", ADDED if HEAVY else ["detection_f1", "perplexity"])
def test_coverage_when_one_stops_at_the_first_verdict(name, strength):
    level = looks_level(len(look_schedule(400, 50)))
    held = stopped(level, 400 if HEAVY else 40, name, strength)
    print(f"{name:24} {strength:5} {held:.3f}")
    assert held >= 0.94


def test_looks_are_paid_for():
    looks = len(look_schedule(400, 50))
    assert stopped(looks_level(looks), 200 if HEAVY else 60) >= 0.94


def test_openings_share_five_per_cent_however_many_there_are():
    assert sum(1 - openings_level(k) for k in range(1, 5000)) == pytest.approx(0.05, abs=1e-4)
    with pytest.raises(ValueError, match="at least one opening"):
        openings_level(0)


def test_negative_control_quantiles_alone_miss_rare_changes():
    metric, base, pruned = population("multilabel_f1", 0.02)
    drop, generator, held = whole(metric, base) - whole(metric, pruned), rng(11), 0
    for _ in range(60):
        chosen = torch.randint(len(base), (SAMPLES,), generator=generator)
        values = metric.value(resampled_sums(base[chosen])) - metric.value(resampled_sums(pruned[chosen]))
        low, high = values.quantile(0.025), values.quantile(0.975)
        held += bool(low <= drop <= high)
    assert held / 60 < 0.8


# --------------------------------------------------------------------------- by hand


def test_counts_are_seeded_and_of_mean_and_variance_one():
    weights = resample_weights(600)
    assert weights.shape == (RESAMPLES, 600)
    assert float(weights.mean()) == pytest.approx(1, abs=0.01)
    assert float(weights.var()) == pytest.approx(1, abs=0.02)
    assert torch.equal(weights[:, :40], resample_weights(40))


def test_sums_of_chunks_are_one_product():
    rows = torch.randn(700, 3, dtype=torch.float64, generator=rng(0))
    assert torch.allclose(resampled_sums(rows), resample_weights(700) @ rows)


def test_a_proportion_has_the_exact_intervals():
    metric = METRICS["accuracy"]()
    base, pruned = torch.ones(100, 2, dtype=torch.float64), torch.ones(100, 2, dtype=torch.float64)
    base[:10, 0], pruned[:25, 0] = 0, 0
    assert is_proportion(metric, base)
    assert interval(metric, base) == (pytest.approx(0.9), *wilson(90, 100))
    assert paired(metric, base, pruned) == paired_drop(15, 0, 100)
    assert not is_proportion(metric, 2 * base)


def test_a_metric_of_means_has_nearly_the_interval_of_students_t():
    metric = METRICS["mae"]()
    errors = torch.rand(200, 1, dtype=torch.float64, generator=rng(1))
    rows = torch.cat([errors, torch.ones_like(errors)], 1)
    value, low, high = interval(metric, rows)
    half = 1.972 * float(errors.std()) / 200**0.5
    assert value == pytest.approx(float(errors.mean()))
    assert (low, high) == pytest.approx((value - half, value + half), abs=0.1 * half)


def test_a_lower_error_of_the_pruned_model_is_better():
    metric = METRICS["mae"]()
    errors = torch.rand(200, 1, dtype=torch.float64, generator=rng(1))
    base, pruned = (torch.cat([e, torch.ones_like(e)], 1) for e in (errors, errors / 2))
    drop = paired(metric, base, pruned)
    assert drop.estimate > 0 and drop.verdict == "different" and drop.worse is False and drop.loss < 0
    assert (drop.metric, drop.better, drop.margin) == (
        "mae",
        "lower",
        pytest.approx(0.02 * float(errors.mean())),
    )
    assert paired(metric, pruned, base).worse is True


def test_equal_models_are_not_different():
    for name in ADDED:
        metric, base, _ = population(name, 0.3)
        drop = paired(metric, base[:40], base[:40])
        assert drop.estimate == 0 and drop.verdict != "different" and drop.low <= 0 <= drop.high


def test_the_interval_of_perplexity_is_positive_with_few_documents():
    metric = METRICS["perplexity"]()
    rows = torch.tensor([[50.0, 100], [100.0, 100], [700.0, 100]], dtype=torch.float64)  # nats, tokens
    value, low, high = interval(metric, rows)
    nats = Metric("nats", "nats", metric.statistics, ratio_of_two, least=0)
    ends = [math.exp(end) for end in interval(nats, rows)]
    assert (value, low, high) == pytest.approx(ends) and 1 <= low < value < high
    _, low, high = interval(replace(metric, least=None), rows)
    assert 0 < low < 1 and high == ends[2]
    assert interval(replace(metric, in_logs=False, least=None), rows)[1] < 0, (
        "as it would be without logarithms"
    )


def few(name: str, seed: int, samples: int = 5) -> tuple[Metric, Tensor, Tensor]:
    """Rows of two models that are almost alike on a handful of samples, but for one."""
    metric, case = METRICS[name](**CASES[name].params), CASES[name]
    outputs, targets = case.make(rng(seed), samples)
    outputs = targets if metric.needs == "dense" else outputs
    other = outputs + 0.01 * torch.randn(outputs.shape, generator=rng(seed))
    other[-1:] = disturbed(outputs[-1:], 1.0)
    return metric, metric.statistics(outputs, targets), metric.statistics(other, targets)


@pytest.mark.parametrize("name", list(CASES))
def test_no_interval_reaches_where_the_metric_cannot_be(name):
    for seed in range(4):
        metric, base, pruned = few(name, seed)
        least, most = metric.limits
        for rows in (base, pruned, pruned[-1:]):
            value, low, high = interval(metric, rows)
            assert least <= low <= value <= high <= most
        drop = paired(metric, base, pruned)
        assert least - most <= drop.low <= drop.estimate <= drop.high <= most - least


def test_negative_control_an_error_without_its_limit_is_less_than_nothing():
    metric, _, pruned = few("relative_error", 0)
    assert metric.least == 0 and interval(metric, pruned)[1] == 0
    assert interval(replace(metric, least=None), pruned)[1] < 0


def test_an_error_of_her_own_may_have_a_limit():
    rows = torch.tensor([[0.0, 1], [0.1, 1], [9.0, 1]], dtype=torch.float64)
    plain = Metric.mean("miss", lambda outputs, targets: outputs, better="lower")
    limited = Metric.mean("miss", lambda outputs, targets: outputs, better="lower", least=0)
    assert interval(plain, rows)[1] < 0 and interval(limited, rows)[1] == 0
    assert interval(plain, rows)[2] == interval(limited, rows)[2]


def test_rows_that_were_resampled_once_say_the_same():
    for name in ADDED:
        metric, base, pruned = population(name, 0.3)
        known = [Resampled(rows[:300]) for rows in (base, pruned)]
        assert interval(metric, known[0]) == interval(metric, base[:300])
        assert paired(metric, *known) == paired(metric, base[:300], pruned[:300])


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_a_share_of_her_own_may_be_more_than_all(better):
    rows = torch.rand(60, 1, dtype=torch.float64, generator=rng(2)) + 0.6
    base, pruned = (torch.cat([r, torch.ones_like(r)], 1) for r in (rows, rows + 1.5))
    own = Metric.mean("off", lambda outputs, targets: outputs, better=better, unit="%")
    value, low, high = interval(own, base)
    assert value > 1 and high - value == pytest.approx(value - low, rel=0.5)
    drop = paired(own, base, pruned)
    assert drop.low <= drop.estimate == pytest.approx(-1.5) and drop.high < -1
    misses = Metric.mean("misses", lambda outputs, targets: outputs, better="lower", unit="%")
    share = torch.cat([(rows > 1).double(), torch.ones_like(rows)], 1)
    assert interval(misses, share)[1:] == wilson(int((rows > 1).sum()), 60)


def test_sums_of_more_samples_go_on_from_those_of_the_first():
    """To the last bit, wherever a look ends; the negative control: other first samples are noticed."""
    rows, other = (torch.rand(1400, 3, generator=rng(seed), dtype=torch.float64) for seed in (1, 2))
    metric, nothing = Metric("m", "m", lambda outputs, targets: outputs, ratio_of_two), torch.zeros(0)

    def part(start: int, stop: int, of: Tensor = rows) -> Tally:
        return Tally(nothing.bool(), nothing.long(), nothing, {"m": of[start:stop]}, (metric,))

    tally = part(0, 100)
    for start, stop in ((100, 256), (256, 700), (700, 1400)):
        tally.measurement()
        tally = joined([tally, part(start, stop)]).cpu()
        assert torch.equal(tally.resampled.sums, resampled_sums(rows[:stop]))
    assert tally.known is not None and tally.known.chunks == 2
    mixed = replace(part(0, 1400, other), known=tally.known)
    assert not torch.equal(mixed.resampled.sums, resampled_sums(other))


def test_samples_that_are_pooled_begin_anew():
    rows, nothing = torch.rand(600, 2, generator=rng(3), dtype=torch.float64), torch.zeros(0)
    metric = Metric("m", "m", lambda outputs, targets: outputs, ratio_of_two)
    whole = Tally(nothing.bool(), nothing.long(), nothing, {"m": rows}, (metric,), torch.arange(600) % 300)
    first = whole.first(400)
    first.measurement()
    assert torch.equal(joined([first, whole.part(400, 600)]).resampled.sums, whole.resampled.sums)
