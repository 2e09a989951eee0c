"""Lanes: latest wins, preemption between batches, fairness, cancelling, errors, closed sessions."""

import threading
import time

import pytest
import torch

from explorer.background import lane
from explorer.background.jobs import JobState
from explorer.background.lane import Lane
from explorer.background.lanes import Lanes
from explorer.background.used_time import UsedTime
from explorer.errors import ExplorerError
from explorer.values.progress import Progress, Step, reached

TIMEOUT = 60.0
LIVE, SCAN, CURVE, LATENCY = Lane("live", lane.LIVE), Lane("scan"), Lane("curve"), Lane("latency")
RECOVERY = Lane("recovery", lane.LONG, lasting=True)


class Clock:
    """Seconds that pass only where a job says so, so that the order of turns is the same on any machine."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lanes(clock):
    before = set(threading.enumerate())
    worker = Lanes(clock=clock)
    yield worker
    worker.shutdown()
    assert set(threading.enumerate()) == before


class Counting:
    """A job of `steps` values 0, 1, ..., each given out only after `allow`; remembers what happened to it."""

    def __init__(self, steps=3, name="", log=None):
        self.steps, self.name, self.log = steps, name, log if log is not None else []
        self.permits, self.begun, self.closed = threading.Semaphore(0), threading.Event(), threading.Event()

    def __call__(self):
        try:
            for step in range(self.steps):
                self.begun.set()
                assert self.permits.acquire(timeout=TIMEOUT)
                self.log.append((self.name, step))
                yield Step(step)
        finally:
            self.closed.set()

    def allow(self, steps):
        self.permits.release(steps)
        return self


def until(condition):
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def test_a_job_runs_to_its_last_value(lanes):
    assert lanes.state("a", LIVE) == JobState()
    lanes.submit("a", LIVE, "key", lambda: iter([Step(1), Step(2), Step(3)]))
    assert lanes.wait("a", LIVE, TIMEOUT) == JobState(key="key", value=3, finished=True)
    assert not lanes.busy("a")


def test_versions_change_with_news_of_that_session_alone(lanes):
    before = lanes.versions("a")
    lanes.submit("b", LIVE, "key", lambda: iter([Step(1)]))
    lanes.wait("b", LIVE, TIMEOUT)
    assert lanes.versions("a") == before
    lanes.submit("a", LIVE, "key", lambda: iter([Step(1)]))
    lanes.wait("a", LIVE, TIMEOUT)
    found = lanes.versions("a")
    assert found != before and lanes.versions("a") == found


def test_the_queue_counts_jobs_that_wait_and_run_and_how_long_they_wait(lanes):
    first, second = Counting(steps=1), Counting(steps=1)
    lanes.submit("a", LIVE, "key", first)
    assert first.begun.wait(TIMEOUT)
    lanes.submit("b", LIVE, "key", second)
    until(lambda: lanes.queue.longest_wait_seconds > 0)
    queue = lanes.queue
    assert (queue.waiting, queue.running, queue.begun) == (1, 1, 1)
    first.allow(1)
    assert second.begun.wait(TIMEOUT)
    later = lanes.queue
    assert (later.waiting, later.begun) == (0, 2)
    assert later.waited_seconds >= queue.waited_seconds + queue.longest_wait_seconds
    second.allow(1)
    lanes.wait("b", LIVE, TIMEOUT)
    assert (lanes.queue.running, lanes.queue.longest_wait_seconds) == (0, 0.0)


def test_latest_of_six_wins_and_few_finish(lanes):
    jobs = [Counting(steps=1 + i, name=str(i)) for i in range(6)]
    lanes.submit("a", LIVE, 0, jobs[0])
    assert jobs[0].begun.wait(TIMEOUT)
    for key, job in enumerate(jobs[1:], start=1):
        lanes.submit("a", LIVE, key, job)
    assert lanes.state("a", LIVE).queued
    for job in jobs:
        job.allow(job.steps)
    state = lanes.wait("a", LIVE, TIMEOUT)
    assert (state.key, state.value, state.finished) == (5, 5, True)
    assert [job.begun.is_set() for job in jobs] == [True, False, False, False, False, True]


def test_a_replaced_job_is_closed_at_its_next_yield_and_shown_until_its_successor_yields(lanes):
    old, new = Counting(steps=9), Counting(steps=1)
    lanes.submit("a", LIVE, "old", old)
    assert old.begun.wait(TIMEOUT)
    lanes.submit("a", LIVE, "new", new)
    old.allow(9)
    assert old.closed.wait(TIMEOUT) and new.begun.wait(TIMEOUT)
    assert len(old.log) == 1
    state = lanes.state("a", LIVE)
    assert (state.key, state.value, state.running, state.finished) == ("old", 0, True, False)
    new.allow(1)
    assert lanes.wait("a", LIVE, TIMEOUT) == JobState(key="new", value=0, finished=True)


def test_the_same_key_is_not_run_again(lanes):
    job, again = Counting(steps=1), Counting(steps=1)
    lanes.submit("a", LIVE, (1, "x"), job)
    assert job.begun.wait(TIMEOUT)
    lanes.submit("a", LIVE, (1, "x"), again)
    job.allow(1)
    assert lanes.wait("a", LIVE, TIMEOUT).finished
    lanes.submit("a", LIVE, (1, "x"), again)
    assert lanes.state("a", LIVE).finished
    assert not again.begun.is_set()


def test_going_back_to_what_is_done_drops_the_newer_job(lanes):
    lanes.submit("a", LIVE, "first", lambda: iter([Step(7)]))
    lanes.wait("a", LIVE, TIMEOUT)
    other = Counting(steps=9)
    lanes.submit("a", LIVE, "other", other)
    assert other.begun.wait(TIMEOUT)
    lanes.submit("a", LIVE, "first", lambda: iter([Step(8)]))
    other.allow(9)
    assert other.closed.wait(TIMEOUT)
    assert lanes.wait("a", LIVE, TIMEOUT) == JobState(key="first", value=7, finished=True)


def test_a_live_job_preempts_within_one_yield_and_the_scan_resumes(lanes):
    log = []
    scan, live = Counting(steps=4, name=SCAN, log=log), Counting(steps=2, name=LIVE, log=log)
    lanes.submit("a", SCAN, 0, scan.allow(1))
    until(lambda: log == [(SCAN, 0)])
    lanes.submit("a", LIVE, 0, live.allow(2))
    scan.allow(3)
    assert lanes.wait("a", SCAN, TIMEOUT).value == 3
    # the scan had its second batch in hand when the live job came, no more than that
    after_one_yield = [(SCAN, 0), (SCAN, 1), (LIVE, 0), (LIVE, 1), (SCAN, 2), (SCAN, 3)]
    assert log == after_one_yield


def test_recovery_comes_last(lanes):
    log = []
    block = Counting(steps=1)
    lanes.submit("a", LIVE, 0, block)
    assert block.begun.wait(TIMEOUT)
    for each in (RECOVERY, CURVE, LIVE):
        lanes.submit("b", each, 0, Counting(steps=2, name=each, log=log).allow(2))
    block.allow(1)
    lanes.wait("b", RECOVERY, TIMEOUT)
    assert [name for name, _ in log] == [LIVE, LIVE, CURVE, CURVE, RECOVERY, RECOVERY]


def test_sessions_take_turns_also_when_one_has_more_lanes(lanes):
    log = []
    block = Counting(steps=1)
    lanes.submit("z", LIVE, 0, block)
    assert block.begun.wait(TIMEOUT)
    for each in (SCAN, CURVE, LATENCY):
        lanes.submit("a", each, 0, Counting(steps=2, name="a", log=log).allow(2))
    lanes.submit("b", SCAN, 0, Counting(steps=3, name="b", log=log).allow(3))
    block.allow(1)
    for session, each in (("a", SCAN), ("a", CURVE), ("a", LATENCY), ("b", SCAN)):
        assert lanes.wait(session, each, TIMEOUT).finished
    assert [name for name, _ in log[:6]] == ["a", "b", "a", "b", "a", "b"]


def preparing(steps, *, cost, name, log, clock):
    """A job with a value in its last step alone, each step of so many seconds."""

    def make():
        for step in range(steps):
            log.append(name)
            clock.now += cost
            yield Step("value" if step == steps - 1 else None)

    return make


@pytest.mark.parametrize("long, order", [(1.0, "abbbbbaaaa"), (0.125, "ababababab")])
def test_long_steps_of_one_session_do_not_hold_up_the_first_number_of_another(lanes, clock, long, order):
    log, block = [], Counting(steps=1)
    lanes.submit("z", LIVE, 0, block)
    assert block.begun.wait(TIMEOUT)
    for name, cost in (("a", long), ("b", 0.125)):
        lanes.submit(name, LIVE, 0, preparing(5, cost=cost, name=name, log=log, clock=clock))
    block.allow(1)
    assert lanes.wait("a", LIVE, TIMEOUT).finished and lanes.wait("b", LIVE, TIMEOUT).finished
    assert "".join(log) == order


def test_first_numbers_go_before_more_samples(lanes, clock):
    log = []
    more = Counting(steps=4, name="a", log=log)
    lanes.submit("a", LIVE, 0, more.allow(1))
    until(lambda: lanes.state("a", LIVE).value == 0)
    for name in "bc":
        lanes.submit(name, LIVE, 0, preparing(3, cost=1.0, name=name, log=log, clock=clock))
    more.allow(3)
    assert lanes.wait("a", LIVE, TIMEOUT).value == 3
    # the second batch was in hand
    assert log == [("a", 0), ("a", 1), *"bcbcbc", ("a", 2), ("a", 3)]


def test_who_waits_is_told_how_many_go_before(lanes, clock):
    block, log = Counting(steps=2), []
    lanes.submit("z", LIVE, 0, block)
    assert block.begun.wait(TIMEOUT)
    for name in "abc":
        lanes.submit(name, LIVE, 0, preparing(1, cost=0.0, name=name, log=log, clock=clock))
    lanes.submit("c", SCAN, 0, preparing(1, cost=0.0, name="scan", log=log, clock=clock))
    assert [lanes.state(name, LIVE).ahead for name in "abc"] == [0, 1, 2] and lanes.first_numbers == 4
    assert lanes.state("c", SCAN).ahead == 3  # their live numbers; the own one is nobody else's
    block.allow(2)
    assert lanes.wait("c", SCAN, TIMEOUT).ahead == 0
    assert log == ["a", "b", "c", "scan"] and lanes.first_numbers == 0


def test_who_was_away_saves_nothing_up():
    used = UsedTime()
    for turn in (1, 2):
        used.begin("a", turn)
        used.add("a", 100.0)
    assert used.order("b") == (100.0, 0) < used.order("a") == (200.0, 2)
    used.begin("b", 3)
    used.add("b", 101.0)
    assert used.order("a") < used.order("b")
    used.hand_over("b", "c")
    assert used.order("c") == (201.0, 3) and used.order("b") == (100.0, 0)
    used.forget("c")
    used.add("c", 5.0)  # its last step ended after that
    assert used.order("c") == (100.0, 0)


def test_cancel_closes_within_one_yield_and_keeps_the_last_value(lanes):
    job = Counting(steps=9)
    lanes.submit("a", SCAN, 0, job.allow(1))
    until(lambda: lanes.state("a", SCAN).value == 0)
    lanes.cancel("a", SCAN)
    job.allow(8)
    assert job.closed.wait(TIMEOUT)
    assert len(job.log) <= 2
    assert lanes.state("a", SCAN) == JobState(key=0, value=0)
    lanes.submit("a", SCAN, 0, lambda: iter([Step(5)]))
    assert lanes.wait("a", SCAN, TIMEOUT).value == 5


def test_cancel_drops_the_waiting_job(lanes):
    block, waiting = Counting(steps=1), Counting(steps=1)
    lanes.submit("a", LIVE, 0, block)
    assert block.begun.wait(TIMEOUT)
    lanes.submit("b", LIVE, 0, waiting)
    lanes.cancel("b", LIVE)
    lanes.cancel("nobody", LIVE)
    block.allow(1)
    lanes.wait("a", LIVE, TIMEOUT)
    assert lanes.state("b", LIVE) == JobState() and not waiting.begun.is_set()


def failing(error):
    def make():
        yield Step(1)
        raise error

    return make


def test_an_explorer_error_is_shown_as_it_is(lanes, caplog):
    lanes.submit("a", LIVE, 0, failing(ExplorerError("Choose another layer.")))
    assert lanes.wait("a", LIVE, TIMEOUT) == JobState(
        key=0, value=1, error="Choose another layer.", finished=True
    )
    assert not caplog.records


def test_an_unexpected_error_is_logged_and_the_worker_lives_on(lanes, caplog):
    lanes.submit("a", LIVE, 0, failing(ValueError("shapes differ")))
    assert lanes.wait("a", LIVE, TIMEOUT).error == "Unexpected error: ValueError: shapes differ"
    assert "Traceback" in caplog.text
    lanes.submit("b", LIVE, 0, lambda: iter([Step(2)]))
    assert lanes.wait("b", LIVE, TIMEOUT).value == 2


def test_a_failed_job_runs_again_only_after_cancel(lanes):
    lanes.submit("a", LIVE, 0, failing(ExplorerError("No.")))
    lanes.wait("a", LIVE, TIMEOUT)
    lanes.submit("a", LIVE, 0, lambda: iter([Step(2)]))
    assert lanes.wait("a", LIVE, TIMEOUT).error == "No."
    lanes.cancel("a", LIVE)
    lanes.submit("a", LIVE, 0, lambda: iter([Step(2)]))
    assert lanes.wait("a", LIVE, TIMEOUT) == JobState(key=0, value=2, finished=True)


def test_a_job_that_keeps_inference_mode_over_a_yield_is_refused(lanes):
    def leaking():
        with torch.inference_mode():
            yield Step(1)
            yield Step(2)

    @torch.inference_mode()
    def clean():
        yield Step(torch.is_inference_mode_enabled())

    lanes.submit("a", LIVE, 0, leaking)
    assert "inference_mode" in lanes.wait("a", LIVE, TIMEOUT).error
    lanes.submit("a", LIVE, 1, lambda: iter([Step(torch.is_inference_mode_enabled())]))
    assert lanes.wait("a", LIVE, TIMEOUT).value is False
    lanes.submit("a", LIVE, 2, clean)
    assert lanes.wait("a", LIVE, TIMEOUT) == JobState(key=2, value=True, finished=True)


def test_progress_does_not_replace_the_value_and_gives_seconds_left(lanes, clock):
    gate = threading.Semaphore(0)

    def make():
        clock.now += 1.0  # set-up, which the estimate leaves out
        yield reached(0, 10, "scan")
        yield Step("value")
        clock.now += 0.5
        yield reached(5, 10, "scan")
        gate.acquire(timeout=TIMEOUT)
        yield reached(10, 10, "scan")

    lanes.submit("a", SCAN, 0, make)
    until(lambda: lanes.state("a", SCAN).progress == Progress(5, 10, "scan"))
    state = lanes.state("a", SCAN)
    assert (state.value, state.seconds_left) == ("value", 0.5)
    gate.release()
    state = lanes.wait("a", SCAN, TIMEOUT)
    assert state.progress == Progress(10, 10, "scan") and state.seconds_left is None


def test_seconds_left_is_unknown_before_there_is_a_pace(lanes):
    job = Counting(steps=1)
    lanes.submit("a", SCAN, 0, lambda: (step if step.value else reached(3, 10) for step in job()))
    assert lanes.state("a", SCAN).seconds_left is None
    job.allow(1)
    until(lambda: lanes.state("a", SCAN).progress == Progress(3, 10))
    assert lanes.state("a", SCAN).seconds_left is None


def test_closed_sessions_lose_live_jobs_pause_scans_and_finish_recoveries():
    open_tabs = {"a", "b"}
    lanes = Lanes(lambda session: session in open_tabs)
    try:
        jobs = {each: Counting(steps=2) for each in (LIVE, SCAN, RECOVERY)}
        block = Counting(steps=1)
        lanes.submit("b", LIVE, 0, block)
        assert block.begun.wait(TIMEOUT)
        for each, job in jobs.items():
            lanes.submit("a", each, 0, job.allow(2))
        open_tabs.remove("a")
        block.allow(1)
        assert lanes.wait("a", RECOVERY, TIMEOUT).finished
        assert lanes.state("a", LIVE) == JobState() and not jobs[LIVE].begun.is_set()
        assert lanes.state("a", SCAN).queued and not jobs[SCAN].begun.is_set()
        open_tabs.add("a")
        assert lanes.wait("a", SCAN, TIMEOUT).finished
    finally:
        lanes.shutdown()


def test_what_a_closed_session_left_is_let_go_after_a_while():
    open_tabs = {"a"}
    lanes = Lanes(lambda session: session in open_tabs, forget_after=0.05)
    try:
        scan = Counting(steps=2)
        lanes.submit("a", SCAN, 0, scan.allow(1))
        until(lambda: lanes.state("a", SCAN).value == 0)
        open_tabs.clear()
        scan.allow(1)
        assert scan.closed.wait(TIMEOUT)
        until(lambda: lanes.state("a", SCAN) == JobState())
    finally:
        lanes.shutdown()


def test_release_forgets_all_but_lets_a_recovery_finish(lanes):
    scan, recovery = Counting(steps=9), Counting(steps=1)
    lanes.submit("a", SCAN, 0, scan.allow(1))
    until(lambda: lanes.state("a", SCAN).value == 0)
    lanes.submit("a", RECOVERY, 0, recovery)
    lanes.release("a")
    scan.allow(8)
    assert scan.closed.wait(TIMEOUT)
    assert lanes.state("a", SCAN) == JobState()
    recovery.allow(1)
    assert recovery.closed.wait(TIMEOUT)
    until(lambda: lanes.state("a", RECOVERY) == JobState())
    assert recovery.log == [("", 0)]


def test_shutdown_closes_suspended_jobs_and_refuses_new_ones():
    lanes = Lanes()
    scan = Counting(steps=9)
    lanes.submit("a", SCAN, 0, scan.allow(1))
    until(lambda: lanes.state("a", SCAN).value == 0)
    scan.allow(8)
    lanes.shutdown()
    assert scan.closed.is_set()
    with pytest.raises(ExplorerError, match="shut down"):
        lanes.submit("a", SCAN, 1, scan)


def test_submissions_from_eight_threads_end_in_the_latest(lanes):
    def hammer(session):
        for key in range(25):
            lanes.submit(session, LIVE, key, lambda key=key: iter([Step(key)]))

    threads = [threading.Thread(target=hammer, args=(f"s{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [lanes.wait(f"s{i}", LIVE, TIMEOUT).value for i in range(8)] == [24] * 8


def test_a_session_hands_its_work_to_the_one_that_takes_its_place(lanes):
    go_on = threading.Event()

    def work():
        yield Step("begun")
        while not go_on.is_set():
            time.sleep(0.01)
            yield Step(None)
        yield Step("done")

    lanes.submit("before", SCAN, "job", work)
    until(lambda: lanes.state("before", SCAN).value == "begun")
    lanes.submit("after", SCAN, "other", lambda: iter([Step("other")]))
    seen = lanes.state("after", SCAN).version
    lanes.hand_over("before", "after")
    assert lanes.used("before") == () and lanes.used("after") == (SCAN,)
    assert lanes.state("after", SCAN).value == "begun" and lanes.state("after", SCAN).running
    assert lanes.state("after", SCAN).version > seen
    lanes.release("before")  # the closed tab is forgotten later; that ends nothing
    go_on.set()
    assert lanes.wait("after", SCAN, TIMEOUT).value == "done"
