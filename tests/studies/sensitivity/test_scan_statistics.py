"""What an adaptive scan's intervals promise is simulated, and its points are judged as one family."""

import math
from itertools import pairwise

import numpy as np
import pytest

from explorer.measuring.statistics import paired_drop, paired_p_value
from explorer.studies.sensitivity.findings import findings
from explorer.studies.sensitivity.stopping import LEVEL, looks, reach
from explorer.studies.sensitivity.values import ScanPlan

RUNS = 1500
SHARES = (0.5, 0.75, 1.0)  # of the flips that are losses
RATES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3)  # fraction of the samples that flip


@pytest.mark.parametrize("total", [1, 10, 64, 128, 129, 450, 1000, 5000, 50_000])
def test_looks_rise_to_the_total_and_none_leaves_only_a_few_samples(total):
    found = looks(total)
    assert found[-1] == total and all(a < b for a, b in pairwise(found))
    assert all(total - look > 64 for look in found[:-1])


def test_looks_grow_by_a_tenth_so_that_no_point_runs_on_for_long():
    assert looks(5000)[:4] == (64, 128, 256, 384) and len(looks(5000)) == 29
    assert all(later <= 1.1 * earlier + 128 for earlier, later in pairwise(looks(50_000)[:-1]))


def test_the_interval_of_all_samples_by_hand():
    # 40 of 98 seen: p = 8/100 and 3/100, variance 0.001075 * 102/200, centre (5 + 102 * 0.05) / 200, z =
    # 1.95996 at 95 %
    interval = reach(7, 2, 98, 200, level=0.95)
    half = 1.95996 * math.sqrt((0.11 - 0.0025) / 100 * 102 / 200)
    assert (interval.low, interval.high) == pytest.approx((0.0505 - half, 0.0505 + half), abs=1e-6)
    assert (
        interval.half_width == pytest.approx(half, abs=1e-6)
        and interval.to_json()["half_width"] == interval.half_width
    )


def test_all_samples_leave_no_doubt_and_few_leave_that_of_new_ones():
    assert (reach(7, 2, 98, 98).low, reach(7, 2, 98, 98).high) == (5 / 98, 5 / 98)
    far = reach(7, 2, 98, 10**9)
    drop = paired_drop(7, 2, 98, level=LEVEL)
    assert (far.low, far.high) == pytest.approx((drop.low, drop.high), abs=1e-6)


def _coverage(total: int, rate: float, share: float, level: float) -> tuple[float, float]:
    """How often the intervals at which a point stops hold: what all samples say, and the true drop."""
    plan, seen = ScanPlan(), np.array(looks(total))
    generator = np.random.default_rng([total, int(1e5 * rate), int(100 * share)])
    losses, gains = rate * share, rate * (1 - share)
    chunks = np.diff((0, *seen))
    flips = np.stack(
        [generator.multinomial(n, [losses, gains, 1 - rate], RUNS)[:, :2] for n in chunks], axis=1
    ).cumsum(axis=1)
    exact = new = 0
    for run in flips.tolist():
        b_all, c_all = run[-1]
        for (b, c), samples in zip(run, looks(total), strict=True):
            found = reach(b, c, samples, total, level)
            if plan.is_enough(found, (b - c) / samples):
                break
        drop = paired_drop(b, c, samples, level=level)
        exact += found.low - 1e-12 <= (b_all - c_all) / total <= found.high + 1e-12
        new += drop.low <= losses - gains <= drop.high
    return exact / RUNS, new / RUNS


@pytest.mark.parametrize("rate", RATES)
def test_the_intervals_of_a_stopped_point_hold_what_they_promise(rate):
    for share in SHARES:
        exact, new = _coverage(5000, rate, share, LEVEL)
        assert exact >= 0.95 and new >= 0.94, share


@pytest.mark.parametrize("rate", [0.01, 0.02, 0.05, 0.1, 0.3])
def test_they_hold_on_few_samples_too(rate):
    for share in (0.5, 1.0):
        exact, new = _coverage(450, rate, share, LEVEL)
        assert exact >= 0.95 and new >= 0.94, share


def test_negative_control_at_a_level_that_does_not_pay_they_fail():
    assert min(_coverage(5000, rate, 1.0, 0.9)[0] for rate in (0.01, 0.02)) < 0.94


# --------------------------------------------------------------------------- one family


def test_findings_by_hand():
    # mid-p of 5:0 is 1/32, of 20:0 2^-20, of 0:20 the same, of 4:4 is 1; Holm: 4 * 2^-20, 4 * 2^-20, 2/32, 1
    asked = {("a", 0.1): (5, 0), ("a", 0.2): (20, 0), ("b", 0.1): (0, 20), ("b", 0.2): (4, 4)}
    points = [(*at, at[1], paired_p_value(b, c), b - c, 0.95) for at, (b, c) in asked.items()]
    judged = findings(points)
    assert [judged[part, ratio].word for part, ratio, *_ in points] == [
        "not distinguishable",
        "worse",
        "better",
        "not distinguishable",
    ]
    adjusted = [judged[part, ratio].p_adjusted for part, ratio, *_ in points]
    assert adjusted == pytest.approx([2 / 32, 4 * 2**-20, 4 * 2**-20, 1])
    alone = findings(points[:1])["a", 0.1]
    assert (alone.p_value, alone.word) == (
        pytest.approx(1 / 32),
        "worse",
    )  # the negative control: no family, no correction


def test_a_point_that_might_have_stopped_earlier_pays_in_its_test_too():
    assert findings([("a", 0.1, 0.1, 1 / 32, 5, 0.98)])["a", 0.1].p_value == pytest.approx(2.5 / 32)


def test_ratios_of_one_cut_are_one_question():
    twice = findings([("a", 0.5, 0.5, 1 / 32, 5, 0.95), ("a", 0.51, 0.5, 1 / 32, 5, 0.95)])
    assert [f.p_adjusted for f in twice.values()] == pytest.approx([1 / 32, 1 / 32])


def test_no_points_no_findings():
    assert findings([]) == {}
