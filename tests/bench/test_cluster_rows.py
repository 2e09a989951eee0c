"""Workers that share a scan: the row of two of them, and the simulation of many."""

import pytest

from explorer.bench import cluster as module
from explorer.bench.cluster import MANY, AsIfMany, share, simulated, timed
from explorer.bench.effort import opened
from explorer.cluster.address import ClusterAddress
from explorer.cluster.connection import Cluster
from explorer.cluster.result_store import ResultStore
from explorer.machine import paths


@pytest.fixture(scope="module")
def local():
    """One worker as a thread of this process, which starts in a moment."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as found:
        yield found


@pytest.fixture
def connected(local, tmp_path, monkeypatch, one_thread):
    """Makes connections to it, each with results of its own."""
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(module, "EXACT_RATIOS", (0.4,))
    clusters = []

    def make(kind=Cluster):
        results = ResultStore(tmp_path / f"{len(clusters)}")
        clusters.append(kind(ClusterAddress.of("local"), results, started=local))
        return clusters[-1]

    yield make
    for one in clusters:
        one.close()


def test_the_row_is_one_workers_time_over_twice_that_of_two(connected):
    one, two = connected(), connected()
    found = timed(opened("digits-mlp"), one, two, 1)
    seconds = found.details
    assert found.value == pytest.approx(seconds["baseline_seconds"] / (2 * seconds["seconds"]))
    assert found.at_least and found.goal == 0.8 and "load" in found.bound_by
    assert len(one.pieces) > 0 and all(took > 0 and size > 0 for took, size in one.pieces)


def test_a_simulation_says_that_it_is_one_and_has_as_many_pieces_as_all_would_get(connected):
    few, many = connected(), connected(AsIfMany)
    module._scanned(opened("digits-mlp"), few, 0.0)
    found = simulated(opened("digits-mlp"), many, 1.0)
    assert found.name == f"cluster_efficiency_{MANY}_simulated" and found.baseline.startswith("simulated: ")
    assert len(many.pieces) >= len(few.pieces) and 0 < found.value < 1


@pytest.mark.parametrize(
    "units, workers, start, handling, expected",
    [
        ([1.0] * 128, 64, 0.0, 0.0, 1.0),
        ([1.0] * 65, 64, 0.0, 0.0, 65 / 128),  # one is left over
        ([9.0, *[1.0] * 9], 10, 0.0, 0.0, 18 / 90),  # all wait for the longest
        ([1.0] * 64, 64, 3.0, 0.0, 0.25),
        ([1.0] * 64, 64, 0.0, 1.0, 1 / 64),  # whoever takes the results is the bottleneck
    ],
)
def test_shares_by_hand(units, workers, start, handling, expected):
    assert share(units, workers, start, handling) == pytest.approx(expected)
