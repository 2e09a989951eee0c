"""What closed tabs leave behind is given back: sessions, uploads, caches, and the memory itself."""

import gc
import subprocess
import sys
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import serving
from protocol import Tab

from explorer.background.lanes import Lanes
from explorer.machine import allocator
from explorer.machine.cache import Cache, rest
from explorer.ui.housekeeping import BUSY_BYTES, GRACE_S, TRIM_BYTES, Visits, is_worth_a_pause
from explorer.ui.session.work import LIVE_LANE
from explorer.ui.shared import models
from explorer.values.progress import Step

LINUX = pytest.mark.skipif(allocator.resident_bytes() is None, reason="the system does not say what is held")
SOON = "from explorer.ui import housekeeping; housekeeping.GRACE_S = 2.0; housekeeping.EVERY_S = 0.5; "
NEVER = "from explorer.ui import housekeeping; housekeeping.EVERY_S = 1e6; "
CROWD, MOVES = 8, 2
LONGEST_S = 120.0
MEGABYTE = 2**20


# --------------------------------------------------------------------------- the parts


def test_a_session_is_gone_once_it_was_closed_for_long(monkeypatch):
    clock, open_tabs = [100.0], {"a", "b"}
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    visits = Visits()
    visits.note("a")
    visits.note("b")
    clock[0] += GRACE_S + 1
    assert visits.gone(open_tabs.__contains__) == []
    open_tabs.remove("a")
    clock[0] += GRACE_S - 1
    assert visits.gone(open_tabs.__contains__) == [] and not visits.nobody
    clock[0] += 2
    assert visits.gone(open_tabs.__contains__) == ["a"] and visits.gone(open_tabs.__contains__) == []
    open_tabs.clear()
    visits.note("b")  # it has come back in between
    clock[0] += GRACE_S - 1
    assert visits.gone(open_tabs.__contains__) == []
    clock[0] += 2
    assert visits.gone(open_tabs.__contains__) == ["b"] and visits.nobody


def test_caches_at_rest_keep_what_is_slow_to_make_and_what_nothing_brings_back():
    quick, slow, lasting = Cache(4, "q"), Cache(4, "s", slow=True), Cache(4, "l", lasting=True)
    for cache in (quick, slow, lasting):
        cache.put("a", 1), cache.put("b", 2), cache.get("a")
    rest()
    assert [quick.get(key) for key in "ab"] == [None, None]
    assert [slow.get(key) for key in "ab"] == [1, None]
    assert [lasting.get(key) for key in "ab"] == [1, 2]
    lasting.drop("a"), lasting.drop("nothing")
    assert [lasting.get(key) for key in "ab"] == [None, 2] and len(lasting.weights()) == 1


def test_uploaded_weights_go_with_the_last_session_that_brought_them(subject):
    name = models.keep_upload(subject, "first")
    assert models.keep_upload(subject, "second") == name
    models.forget("first")
    assert models.load_subject(name) is subject
    models.forget("second")
    with pytest.raises(Exception, match="upload them again"):
        models.load_subject(name)


@pytest.fixture
def subject():
    from explorer.loaders.model_text import load

    return load("digits-mlp")


class Held:
    """Something large that a job holds."""


def test_the_waiting_worker_holds_nothing_of_a_job_that_is_gone():
    lanes, kept = Lanes(), []

    def job():
        held = Held()
        kept.append(weakref.ref(held))
        yield Step(held)

    lanes.submit("a", LIVE_LANE, 0, job)
    lanes.wait("a", LIVE_LANE, 10)
    lanes.release("a")
    until(lambda: gc.collect() >= 0 and kept[0]() is None)
    lanes.shutdown()


HOLES = """
from explorer.machine.allocator import give_back, resident_bytes
blocks = [b"x" * (100_000 + number) for number in range(1000)]
before = resident_bytes()
kept = blocks[::50]
last = bytes(1000)
del blocks
{then}
print(before - resident_bytes())
"""


@pytest.mark.parametrize("idle", [True, False])
def test_memory_goes_back_while_something_is_measured_too_only_later(idle):
    least = TRIM_BYTES if idle else BUSY_BYTES
    assert is_worth_a_pause(least, idle) and not is_worth_a_pause(least - 1, idle)
    assert TRIM_BYTES < BUSY_BYTES


@LINUX
@pytest.mark.skipif(allocator._trim() is None, reason="this C library cannot be asked")
def test_freed_memory_goes_back_to_the_system():
    given_back = {}
    for then in ("give_back()", "pass"):
        done = subprocess.run(
            [sys.executable, "-c", HOLES.format(then=then)],
            capture_output=True,
            text=True,
            check=True,
            env=serving.environment(),
        )
        given_back[then] = int(done.stdout)
    assert given_back["give_back()"] > 80 * MEGABYTE
    assert given_back["pass"] < given_back["give_back()"] - 20 * MEGABYTE  # left alone, much stays


# --------------------------------------------------------------------------- a server


def until(there) -> None:
    end = time.monotonic() + LONGEST_S
    while not there():
        assert time.monotonic() < end, "It did not come."
        time.sleep(0.2)


def visit(server: serving.Server, ratio: float) -> None:
    """Somebody comes, moves faders, looks around, and goes."""
    with Tab(server, "model=digits-cnn") as tab:
        tab.open().first_number(0)
        for move in range(1, MOVES + 1):
            tab.move(channels={f"conv{1 + move % 3}": ratio})
            tab.first_number(move)
        for page in ("explore", "channels", ""):
            tab.open(page)
        assert sessions(server)


def crowd(server: serving.Server) -> None:
    """Many at once; what goes wrong for one of them is raised."""
    with ThreadPoolExecutor(CROWD) as people:
        visits = [people.submit(visit, server, 0.1 + 0.05 * place) for place in range(CROWD)]
    for one in visits:
        one.result()


def reported(server: serving.Server, name: str) -> float:
    """A number that the server tells its monitors."""
    lines = server.ask("GET", "/metrics").body.decode().splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"explorer_{name} "))


def sessions(server: serving.Server) -> int:
    """How many sessions are kept, open or closed."""
    return int(reported(server, "sessions_kept"))


def held(server: serving.Server) -> int:
    """Bytes of the server's own memory."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


@LINUX
def test_what_a_crowd_has_used_comes_back_after_the_last_tab_has_closed(tmp_path):
    with serving.running(tmp_path, "digits-cnn", before=SOON) as server:
        visit(server, 0.3)  # what the first visitor brings in is code, which stays
        until(lambda: not sessions(server))
        alone, threads = held(server), server.threads()
        # after one crowd 1.013 to 1.059 of it is held, by chance; a leak grows with the next crowd
        for limit in (1.1, 1.05):
            crowd(server)
            until(lambda: not sessions(server))
            most = limit * alone
            until(lambda most=most: held(server) < most and server.threads() <= threads)
            alone = held(server)
        assert "Tidying up failed" not in server.log.read_text(encoding="utf-8")


def test_without_housekeeping_closed_sessions_stay(tmp_path):
    """The negative control of the test above."""
    with serving.running(tmp_path, "digits-mlp", before=NEVER) as server:
        with Tab(server) as tab:
            tab.open()
        until(lambda: not reported(server, "sessions_open"))
        time.sleep(2)
        assert sessions(server) == 1


def test_who_comes_back_soon_finds_the_session_and_its_recipe(tmp_path):
    with serving.running(tmp_path, "digits-cnn", before=SOON.replace("2.0", "100.0")) as server:
        with Tab(server, "model=digits-cnn") as tab:
            tab.open().move(channels={"conv1": 0.5})
            tab.first_number(1)
            parameters = tab.shown("cards")["Parameters"]["value"]
        time.sleep(1.5)  # in which closed sessions were looked at, twice
        with Tab(server, session=tab.session) as again:
            assert again.open().session == tab.session
            again.first_number(0)
            assert again.shown("cards")["Parameters"]["value"] == parameters != "14.5 k"
