"""A page without a browser: lanes, a clock and reruns that a test sets and sees."""

import pytest
from live_page import RerunError

from explorer.background.jobs import JobState
from explorer.ui import session
from explorer.ui.browser import elements
from explorer.ui.live import regions


@pytest.fixture
def page(monkeypatch):
    """A run of a page: lane -> its state, which a test sets."""
    states: dict[str, JobState] = {}
    kept: dict[str, object] = {}
    monkeypatch.setattr(session, "lane_state", lambda lane: states.get(lane, JobState()))
    monkeypatch.setattr(
        session, "versions", lambda lanes: {lane: session.lane_state(lane).version for lane in lanes}
    )
    monkeypatch.setattr(session, "recalled", lambda name, default=None: kept.get(name, default))
    monkeypatch.setattr(session, "remember", kept.__setitem__)
    monkeypatch.setattr(session, "event", lambda key, name: None)
    monkeypatch.setattr(session, "stamp", lambda: ("session", 0, 0))
    monkeypatch.setattr(regions.st, "fragment", lambda key: lambda draw: draw)

    def rerun(names=()):
        raise RerunError(*names)

    monkeypatch.setattr(regions.st, "rerun", rerun)
    before = regions._run.set(None)
    regions.begin().is_complete = True
    yield states
    regions._run.reset(before)


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    now = [100.0]
    monkeypatch.setattr(regions.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def drawn(monkeypatch):
    """What was drawn by runs of the page: name and data of elements."""
    calls: list[tuple[str, dict]] = []
    monkeypatch.setattr(elements, "draw", lambda name, data, *, key, **events: calls.append((name, data)))
    return calls
