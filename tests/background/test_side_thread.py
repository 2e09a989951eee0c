"""Long calls beside the worker: measuring goes on, a call that was let go ends at its next stage, latency
waits.
"""

import threading
import time

import pytest
import torch

from explorer.background import lane
from explorer.background.lane import Lane
from explorer.background.lanes import Lanes
from explorer.background.side_thread import beside, is_quiet
from explorer.errors import ExplorerError
from explorer.measuring.latency import TimingPlan, rounds
from explorer.values.progress import PAUSE, Step, values_of

PATIENCE = 20  # seconds
LIVE, EXPORT = Lane("live", lane.LIVE), Lane("export")


def until(true) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "Nothing came in time."
        time.sleep(0.01)


def test_a_call_tells_its_stages_and_then_its_result():
    go = threading.Event()

    def work(step):
        step("First")
        step("Second")
        go.wait(PATIENCE)
        return 42

    running = beside(work, "Waiting", 2)
    until(lambda: next(running).progress.label.startswith("Second"))
    seen = next(running).progress
    assert (seen.done, seen.total) == (1, 2) and not is_quiet()
    go.set()
    items = list(running)
    assert items[-1] == Step(42) and all(item.progress for item in items[:-1])
    until(is_quiet)


def test_what_goes_wrong_there_goes_wrong_here():
    def work(step):
        raise ExplorerError("no such format")

    with pytest.raises(ExplorerError, match="no such format"):
        list(beside(work, "Waiting", 1))
    until(is_quiet)


def test_a_call_that_was_let_go_ends_at_its_next_stage():
    go, reached = threading.Event(), []

    def work(step):
        step("First")
        go.wait(PATIENCE)
        step("Second")
        reached.append("Second")

    running = beside(work, "Waiting", 2)
    next(running)
    running.close()
    go.set()
    until(is_quiet)
    assert reached == []


def test_other_lanes_go_on_meanwhile_and_a_cancelled_export_leaves_the_worker_free():
    go = threading.Event()
    lanes = Lanes()
    try:
        lanes.submit("s", EXPORT, "file", lambda: beside(lambda step: go.wait(PATIENCE), "Writing", 1))
        until(lambda: lanes.state("s", EXPORT).running)
        lanes.submit("s", LIVE, "recipe", lambda: iter([Step(1), Step(2)]))
        assert lanes.wait("s", LIVE, PATIENCE).value == 2
        lanes.cancel("s", EXPORT)
        assert not lanes.wait("s", EXPORT, PATIENCE).busy and not is_quiet()
    finally:
        go.set()
        lanes.shutdown()
    until(is_quiet)


def test_latency_waits_until_nothing_runs_beside_it():
    go = threading.Event()
    call = beside(lambda step: go.wait(PATIENCE), "Writing", 1)
    next(call)
    clock = rounds({"dense": torch.nn.Identity()}, torch.zeros(1, 2), TimingPlan(pairs=6))
    assert [next(clock) for _ in range(10)] == [PAUSE] * 10  # more than the warm-up has
    go.set()
    assert len(list(values_of(clock))) == 6
    call.close()
