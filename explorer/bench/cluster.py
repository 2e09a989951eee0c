"""How well workers share a scan: two of them timed in turns with one, and many simulated from pieces."""

import heapq
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..cluster.address import ClusterAddress
from ..cluster.connection import Cluster
from ..cluster.result_store import ResultStore
from ..cluster.scan import scan
from ..cluster.subject_source import SubjectSource
from ..engine.conditions import Conditions
from ..graph.analysed import Analysed
from ..machine.paths import CACHE_VARIABLE
from ..studies.sensitivity.values import ScanPlan
from ..values.granularity import CHANNEL
from ..values.progress import outcome
from .effort import Effort, opened
from .scans import EXACT_RATIOS
from .timed_rows import Pairs, Timeable, TimedRow, interleaved, row

FEW, MANY = 2, 64
GOAL = 0.8  # of the time of two workers
Piece = tuple[float, int]  # seconds on a worker, bytes of the result


class AsIfMany(Cluster):
    """One worker that is asked as many are: a study is divided into as many pieces as for all of them."""

    @property
    def workers(self) -> int:
        return MANY


def sharing(size: Effort, device: str) -> Iterator[TimedRow]:
    """Time two workers of one thread in turns with one, each on an exact scan that nobody has done before;
    then one worker on the pieces that 64 would get.
    """
    model = opened(size.scanned)
    with tempfile.TemporaryDirectory() as place:
        with _of(Cluster, 1, Path(place)) as one, _of(Cluster, FEW, Path(place)) as two:
            yield timed(model, one, two, size.long_pairs)
        started = time.perf_counter()
        with _of(AsIfMany, 1, Path(place)) as worker:
            yield simulated(model, worker, time.perf_counter() - started)


@contextmanager
def _of(kind: type[Cluster], workers: int, place: Path) -> Iterator[Cluster]:
    """Processes of this machine whose caches are in a folder of their own."""
    own = Path(tempfile.mkdtemp(dir=place))
    before = os.environ.get(CACHE_VARIABLE)
    os.environ[CACHE_VARIABLE] = str(own)  # the processes get it when they start
    try:
        cluster = kind(ClusterAddress.of(f"local:{workers}"), ResultStore(own / "results"))
    finally:
        if before is None:
            del os.environ[CACHE_VARIABLE]
        else:
            os.environ[CACHE_VARIABLE] = before
    with cluster:
        yield cluster


def _scanned(model: Analysed, cluster: Cluster, shift: float) -> None:
    """Scan with ratios that are a little higher, so that no result is known."""
    plan = ScanPlan(CHANNEL, tuple(ratio + shift for ratio in EXACT_RATIOS), None)
    source = SubjectSource(model.subject.name).of(model.subject)
    with tempfile.TemporaryDirectory() as folder:
        outcome(scan(cluster, source, model, plan, Conditions(device="cpu"), Path(folder)))


def timed(model: Analysed, one: Cluster, two: Cluster, count: int) -> TimedRow:
    """Return the efficiency of two workers: seconds of one, over twice those of two."""
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else None

    def make(index: int) -> tuple[Timeable, Timeable]:
        shift = (index + 1) / 1000
        return (lambda: _scanned(model, two, shift)), (lambda: _scanned(model, one, shift))

    pairs = interleaved(make, count)
    twice = Pairs(tuple(FEW * seconds for seconds in pairs.ours), pairs.baseline)
    details = {"model": model.subject.name, "load_before": busy, **pairs.details}
    found = row("cluster_efficiency", twice, "one worker of one thread", inverse=True, goal=GOAL)
    return replace(found, details=details, bound_by=f"load of the machine before: {busy or 0:.1f}")


def simulated(model: Analysed, worker: Cluster, start: float) -> TimedRow:
    """Return the efficiency that 64 workers would have, from the measured times of the pieces that they would
    get.

    Args:
        worker: a real one, asked as if it were 64.
        start: seconds until a worker is there.
    """
    began, own = time.perf_counter(), time.process_time()
    _scanned(model, worker, 0.0)
    pieces = worker.pieces
    handling = (time.process_time() - own) / len(pieces)
    units = [seconds for seconds, _ in pieces]
    value = share(units, MANY, start, handling)
    mean = sum(size for _, size in pieces) / len(pieces) / 1000
    times = (
        f"simulated: {len(pieces)} pieces, the longest {max(units):.2f} s, start-up {start:.1f} s, results "
        f"of {mean:.0f} kB taken in {1000 * handling:.0f} ms each"
    )
    details = {"model": model.subject.name, "simulated": True, "seconds": time.perf_counter() - began}
    return TimedRow(f"cluster_efficiency_{MANY}_simulated", value, value, value, times, details=details)


def share(units: Sequence[float], workers: int, start: float, handling: float) -> float:
    """Return which part of their time workers compute, if each takes the next piece when it is free.

    Args:
        units: seconds of each piece, in the order in which they are asked for.
        start: seconds until a worker is there.
        handling: seconds in which the process that asked takes one result, one after the other.

    >>> share([1.0, 1.0], 2, 0.0, 0.0), share([1.0, 1.0], 2, 1.0, 0.0), share([1.0, 1.0], 2, 0.0, 2.0)
    (1.0, 0.5, 0.25)
    """
    free = [start] * workers
    for unit in units:
        heapq.heappush(free, heapq.heappop(free) + unit)
    return sum(units) / (workers * max(max(free), handling * len(units)))
