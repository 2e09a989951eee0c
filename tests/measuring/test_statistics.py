import math
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from explorer.measuring.statistics import (
    holm,
    look_schedule,
    looks_level,
    paired_drop,
    paired_p_value,
    wilson,
)

# --------------------------------------------------------------------------- Wilson


@pytest.mark.parametrize(
    ("correct", "samples", "low", "high"),
    [(0, 10, 0.0, 0.27753), (10, 10, 0.72247, 1.0), (5, 10, 0.23659, 0.76341), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_gives_the_textbook_intervals(correct, samples, low, high):
    # 0, 5 and 10 of 10 by hand with z = 1.95996: z^2 = 3.84146; 81 of 263 as printed by Newcombe 1998 (method
    # 3)
    assert wilson(correct, samples) == pytest.approx((low, high), abs=5e-5)


def test_half_width_at_92_percent_shrinks_with_the_root_of_the_samples():
    points = [100 * np.diff(wilson(round(0.92 * n), n))[0] / 2 for n in (500, 1000, 5000, 10_000)]
    assert points == pytest.approx([2.4, 1.7, 0.75, 0.53], abs=0.03)


def test_a_higher_level_is_wider():
    narrow, wide = wilson(90, 100), wilson(90, 100, level=0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize(("correct", "samples"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(correct, samples):
    with pytest.raises(ValueError, match="Counts must satisfy"):
        wilson(correct, samples)


@pytest.mark.parametrize("level", [0, 1, 1.5])
def test_a_level_is_a_probability(level):
    with pytest.raises(ValueError, match="level must be in"):
        wilson(1, 2, level=level)


# --------------------------------------------------------------------------- paired drop


def test_bonett_price_by_hand():
    # n = 98: p = 8/100 and 3/100, centre 0.05, variance (0.11 - 0.0025) / 100 = 0.001075, 1.95996 * 0.0327872
    # = 0.0642617
    drop = paired_drop(7, 2, 98)
    assert drop.estimate == 5 / 98
    assert (drop.low, drop.high) == pytest.approx((0.05 - 0.0642617, 0.05 + 0.0642617), abs=1e-6)
    assert drop.verdict == "undecided"


def test_no_flips_still_have_a_width():
    drop = paired_drop(0, 0, 98)
    assert drop.estimate == 0
    assert (drop.low, drop.high) == pytest.approx(
        (-0.0277181, 0.0277181), abs=1e-6
    )  # 1.95996 * sqrt(0.02 / 100)


def test_swapping_the_models_turns_the_sign():
    one, other = paired_drop(40, 15, 1000), paired_drop(15, 40, 1000)
    assert (one.estimate, one.low, one.high) == pytest.approx((-other.estimate, -other.high, -other.low))


def test_half_widths_at_two_percent_of_flips():
    widths = [
        100 * (drop.high - drop.low) / 2
        for drop in (paired_drop(10, 10, 1000), paired_drop(100, 100, 10_000))
    ]
    assert widths == pytest.approx([0.9, 0.28], abs=0.03)


def test_the_interval_holds_the_estimate_and_stays_within_one():
    for n in (1, 2, 5, 50):
        for b in range(n + 1):
            drop = paired_drop(b, n - b, n)
            assert -1 <= drop.low <= drop.estimate <= drop.high <= 1


def _exact_coverage(interval, rate: float, n: int) -> float:
    """Chance that the interval holds the true drop when every flip is a loss, summed over all outcomes."""
    held = [b for b in range(n + 1) if interval(b, n)[0] <= rate <= interval(b, n)[1]]
    return sum(math.comb(n, b) * rate**b * (1 - rate) ** (n - b) for b in held)


@pytest.mark.parametrize("n", [50, 256])
@pytest.mark.parametrize("rate", [0.002, 0.01, 0.05, 0.1, 0.3])
def test_a_single_look_covers_94_percent_where_all_flips_are_losses(n, rate):
    def interval(b: int, n: int) -> tuple[float, float]:
        drop = paired_drop(b, 0, n)
        return drop.low, drop.high

    assert round(_exact_coverage(interval, rate, n), 2) >= 0.94


def test_negative_control_wald_covers_a_single_look_40_percent_at_most():
    def wald(b: int, n: int) -> tuple[float, float]:
        half = 1.96 * math.sqrt(b / n * (1 - b / n) / n)
        return b / n - half, b / n + half

    assert _exact_coverage(wald, 0.002, 256) < 0.41


def test_three_verdicts_and_different_wins_over_small():
    assert paired_drop(60, 10, 1000).verdict == "different"
    assert paired_drop(10, 60, 1000).verdict == "different"
    assert paired_drop(0, 0, 5000).verdict == "equivalent"
    assert paired_drop(3, 2, 100).verdict == "undecided"
    small = paired_drop(60, 20, 10_000)
    assert 0 < small.low < small.high < 0.01
    assert small.verdict == "different"


def test_equivalence_depends_on_what_matters():
    assert paired_drop(10, 10, 1000, delta=0.01).verdict == "equivalent"
    assert paired_drop(10, 10, 1000, delta=0.005).verdict == "undecided"


def test_more_flips_than_samples_are_refused():
    with pytest.raises(ValueError, match="Counts must satisfy"):
        paired_drop(6, 5, 10)


# --------------------------------------------------------------------------- tests and families


@pytest.mark.parametrize(
    ("b", "c", "p"),
    # by hand: 2 * 9/256 - 8/256; nothing to tell; 2/2^5 - 1/2^5; 2 * 56/1024 - 45/1024
    [(1, 7, 10 / 256), (0, 0, 1.0), (4, 4, 1.0), (5, 0, 1 / 32), (2, 8, 67 / 1024)],
)
def test_mid_p_values_by_hand(b, c, p):
    assert paired_p_value(b, c) == pytest.approx(p, abs=1e-12)
    assert paired_p_value(c, b) == paired_p_value(b, c)


def test_many_flips_do_not_overflow_and_approach_the_normal():
    z = (5150 - 4850) / math.sqrt(10_000)  # 3 standard deviations
    assert paired_p_value(5150, 4850) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=0.01)


def test_negative_flips_are_refused():
    with pytest.raises(ValueError, match="counts from 0"):
        paired_p_value(-1, 3)


def test_holm_by_hand_in_the_order_given():
    # sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 = 0.02, 0.03, 0.06, 0.04; then never falling
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.9, 0.8]) == (1.0, 1.0)
    assert holm([]) == ()
    with pytest.raises(ValueError, match="P-values must be"):
        holm([0.5, 1.2])


def test_holm_keeps_the_family_error_where_unadjusted_values_do_not():
    p_values = np.random.default_rng(0).random((2000, 10))  # ten comparisons without any difference
    cried_wolf = np.mean([min(holm(row)) <= 0.05 for row in p_values.tolist()])
    assert cried_wolf <= 0.06
    assert np.mean(p_values.min(axis=1) <= 0.05) > 0.3  # negative control


# --------------------------------------------------------------------------- looks


def test_each_look_doubles_the_samples_and_the_last_sees_all():
    assert look_schedule(5000) == (256, 512, 1024, 2048, 4096, 5000)
    assert look_schedule(100) == (100,)
    assert look_schedule(256) == (256,)
    assert look_schedule(257) == (256, 257)
    assert look_schedule(512) == (256, 512)
    assert look_schedule(1000, first=100) == (100, 200, 400, 800, 1000)


@pytest.mark.parametrize("total", [1, 255, 1797, 10_000, 50_000, 2**20 + 1])
def test_schedules_rise_and_end_at_the_total(total):
    looks = look_schedule(total)
    assert looks[-1] == total
    assert all(later > earlier for earlier, later in pairwise(looks))


def test_looks_share_the_error():
    assert looks_level(1) == 0.95
    assert looks_level(6) == pytest.approx(1 - 0.05 / 6)
    with pytest.raises(ValueError, match="at least one look"):
        looks_level(0)
    with pytest.raises(ValueError, match="at least one sample"):
        look_schedule(0)


LOOKS = look_schedule(5000)
RUNS = 4000
RATES = [  # fraction of samples that flip, share of the flips that are losses
    (rate, share) for rate in (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3) for share in (0.5, 0.75, 1.0)
]


@cache
def _bonett_price(b: int, c: int, samples: int, level: float) -> tuple[float, float, bool]:
    drop = paired_drop(b, c, samples, level=level)
    return drop.low, drop.high, drop.verdict != "undecided"


@cache
def _wald(b: int, c: int, samples: int, level: float) -> tuple[float, float, bool]:
    z = {0.95: 1.959964, looks_level(len(LOOKS)): 2.638257}[level]
    half = z * math.sqrt(b + c - (b - c) ** 2 / samples) / samples
    low, high = (b - c) / samples - half, (b - c) / samples + half
    return low, high, low > 0 or high < 0 or -0.01 < low <= high < 0.01


def _coverage(interval, rate: float, share: float, level: float, looks=LOOKS) -> float:
    """How often the interval at which one stops (the first verdict, else the last look) holds the
    true drop.
    """
    losses, gains = rate * share, rate * (1 - share)
    generator = np.random.default_rng(int(1e5 * rate) + int(100 * share))
    chunks = np.diff((0, *looks))
    flips = np.stack(
        [generator.multinomial(n, [losses, gains, 1 - rate], RUNS)[:, :2] for n in chunks], axis=1
    ).cumsum(axis=1)
    covered = 0
    for run in flips.tolist():
        for (b, c), samples in zip(run, looks, strict=True):
            low, high, stop = interval(b, c, samples, level)
            if stop:
                break
        covered += low <= losses - gains <= high
    return covered / RUNS


@pytest.mark.parametrize(("rate", "share"), RATES)
def test_coverage_under_the_stopping_rule(rate, share):
    assert _coverage(_bonett_price, rate, share, looks_level(len(LOOKS))) >= 0.94


@pytest.mark.parametrize("first", [16, 128])  # of large models, and of small ones
def test_coverage_holds_from_the_smallest_first_look_on(first):
    looks = look_schedule(5000, first)
    for rate, share in ((0.002, 1.0), (0.05, 0.75), (0.3, 0.5), (0.3, 1.0)):
        assert _coverage(_bonett_price, rate, share, looks_level(len(looks)), looks) >= 0.94


def test_negative_control_wald_fails_at_few_flips_even_at_the_corrected_level():
    assert _coverage(_wald, 0.002, 1.0, looks_level(len(LOOKS))) < 0.7


def test_negative_control_looking_repeatedly_at_95_percent_fails():
    assert min(_coverage(_bonett_price, rate, 0.5, 0.95) for rate in (0.1, 0.2, 0.3)) < 0.9
