"""Regions are drawn anew, and elements told, when what they show has changed, and only then."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.requests import Request

from explorer.background.jobs import JobState
from explorer.background.lane import Lane
from explorer.ui import session
from explorer.ui.browser import elements
from explorer.ui.browser.elements import ELEMENTS, HERE
from explorer.ui.live import news_route, pushed, regions, ticker

SCAN = Lane("scan")


class Rerun(Exception):
    """What st.rerun is here: the names that were asked for."""


@pytest.fixture
def page(monkeypatch):
    """A page without a browser: lanes whose state a test sets, a clock, and reruns that a test sees."""
    states: dict[str, JobState] = {}
    kept: dict[str, object] = {}
    monkeypatch.setattr(session, "lane_state", lambda lane: states.get(lane, JobState()))
    monkeypatch.setattr(
        session, "versions", lambda lanes: {lane: session.lane_state(lane).version for lane in lanes}
    )
    monkeypatch.setattr(session, "recalled", lambda name, default=None: kept.get(name, default))
    monkeypatch.setattr(session, "remember", kept.__setitem__)
    monkeypatch.setattr(session, "event", lambda key, name: None)
    monkeypatch.setattr(regions.st, "fragment", lambda key: lambda draw: draw)

    def rerun(names):
        raise Rerun(*names)

    monkeypatch.setattr(regions.st, "rerun", rerun)
    ticker.begin()
    return states


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


def answer() -> list[str]:
    """The regions that a question of the browser has drawn; none means that only the ticker is."""
    try:
        ticker._answer()
    except Rerun as asked:
        return list(asked.args)
    return []


# --------------------------------------------------------------------------- regions


def test_only_the_regions_of_the_lane_with_news_are_drawn(page):
    regions.watched("cards", lambda: None, session.LIVE_LANE)
    regions.watched("curve", lambda: None, Lane("curve"))
    assert answer() == []
    page[session.LIVE_LANE] = JobState(version=1)
    assert answer() == ["cards", regions.TICKER]


def test_a_region_with_a_facet_waits_for_its_facet(page):
    shown = ["a"]
    regions.watched("parts", lambda: None, session.LIVE_LANE, facet=lambda: shown[0])
    page[session.LIVE_LANE] = JobState(version=7)
    assert answer() == []
    shown[0] = "b"
    assert answer() == ["parts", regions.TICKER]


def test_a_region_that_was_drawn_is_up_to_date(page):
    drawn = []
    regions.watched("cards", lambda: drawn.append(1), session.LIVE_LANE)
    page[session.LIVE_LANE] = JobState(version=1)
    assert answer() != []
    regions.watched("cards", lambda: drawn.append(2), session.LIVE_LANE)
    assert answer() == [] and drawn == [1, 2]


def test_progress_is_drawn_now_and_then_while_a_lane_works(page, clock):
    regions.watched("status", lambda: None, SCAN, facet=lambda: 0, progress=True)
    page[SCAN] = JobState(running=True)
    assert answer() == ["status", regions.TICKER]
    clock[0] += regions.PROGRESS_S / 2
    assert answer() == [] and not regions.is_due()
    clock[0] += regions.PROGRESS_S
    assert regions.is_due() and answer() == ["status", regions.TICKER]
    page[SCAN] = JobState()
    clock[0] += regions.PROGRESS_S
    assert answer() == [] and not regions.is_due()


def test_regions_wait_until_the_hand_rests_and_the_first_measurement_is_there(page, clock):
    recipe = ["dense"]
    regions.watched("parts", lambda: None, facet=lambda: recipe[0])
    regions.hurry()
    recipe[0] = "pruned"
    assert regions.busy() and not regions.is_due()
    page[session.LIVE_LANE] = JobState(running=True)
    clock[0] += regions.REST_S + 0.01
    assert not regions.is_due()
    page[session.LIVE_LANE] = JobState()
    assert regions.is_due()
    page[session.LIVE_LANE] = JobState(running=True)
    clock[0] += regions.PATIENCE_S
    assert regions.is_due()


# --------------------------------------------------------------------------- elements that are told


def test_an_element_is_told_the_parts_that_changed_and_no_region_is_drawn_for_it(page, drawn):
    value, seen = {"a": 1, "b": 2}, [0]
    pushed.pushed(
        "cards", "cards", pushed.LiveValue(lambda: dict(value), lambda: seen[0], (session.LIVE_LANE,))
    )
    ((_, data),) = drawn
    assert data["value"] == value and pushed.answer({"cards": data["turn"]}) == {
        "told": {},
        "draw": False,
        "busy": False,
    }
    value["b"], seen[0] = 3, 1
    found = pushed.answer({"cards": data["turn"]})
    assert found["told"]["cards"]["value"] == {"b": 3} and not found["draw"]
    assert answer() == []
    assert pushed.answer({"cards": found["told"]["cards"]["turn"]})["told"] == {}
    assert pushed.answer({})["told"]["cards"]["value"] == {
        "a": 1,
        "b": 3,
    }  # a browser that knows nothing is told all
    del value["a"]
    seen[0] = 2
    assert pushed.answer({"cards": data["turn"]})["told"]["cards"]["value"] == {"a": None, "b": 3}


def test_an_element_with_nothing_to_show_has_a_turn_that_is_newer_than_all_before(page, drawn):
    before = regions.next_turn()
    pushed.pushed("curve", "figure", pushed.LiveValue(dict, lambda: 0, ("curve",)))
    ((_, data),) = drawn
    assert data["value"] == {} and data["turn"] > before  # or the figure of another model would stay
    assert pushed.answer({"curve": data["turn"]})["told"] == {}


def test_a_patient_element_waits_for_the_hand_and_is_asked_for_again(page, drawn, clock):
    seen = [0]
    pushed.pushed(
        "curve",
        "figure",
        pushed.LiveValue(lambda: {"points": seen[0]}, lambda: seen[0], ("curve",), patient=True),
    )
    turn = drawn[0][1]["turn"]
    regions.hurry()
    seen[0] = 1
    assert pushed.answer({"curve": turn}) == {"told": {}, "draw": False, "busy": True}
    clock[0] += regions.REST_S + 0.01
    assert pushed.answer({"curve": turn})["told"]["curve"]["value"] == {"points": 1}


def test_an_element_with_a_pause_is_told_the_last_value_in_the_end(page, drawn, clock):
    seen = [0]
    pushed.pushed(
        "status",
        "status",
        pushed.LiveValue(lambda: {"done": seen[0]}, lambda: seen[0], (session.LIVE_LANE,), pause=0.3),
    )
    turn = drawn[0][1]["turn"]
    seen[0] = 1
    assert pushed.answer({"status": turn})["busy"]
    seen[0] = 2
    clock[0] += 0.31
    assert pushed.answer({"status": turn})["told"]["status"]["value"] == {"done": 2}


def test_a_run_of_the_page_tells_an_element_all_under_a_later_turn(page, drawn):
    value, seen = {"a": 1, "b": 2}, [0]

    def draw():
        return pushed.pushed(
            "cards", "cards", pushed.LiveValue(lambda: dict(value), lambda: seen[0], (session.LIVE_LANE,))
        )

    draw()
    value["a"], seen[0] = 5, 1
    draw()
    (_, first), (_, second) = drawn
    assert second["turn"] > first["turn"] and second["value"] == {"a": 5, "b": 2}
    assert pushed.answer({"cards": second["turn"]})["told"] == {}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"nonsense", b'{"cards": "1"}', b"[" * 10_000, b" " * (news_route.LONGEST + 1)]
)
def test_a_question_that_is_none_is_refused(body):
    assert news_route._known(body) is None
    assert news_route._known(b'{"cards": 12}') == {"cards": 12}


def asked(secret: str, read: list[int]) -> int:
    """The status of a question without an end."""

    async def receive():
        read.append(4096)
        return {"type": "http.request", "body": b" " * read[-1], "more_body": True}

    scope = {"type": "http", "method": "POST", "headers": [(b"x-explorer-page", secret.encode())]}
    with ThreadPoolExecutor(1) as another:  # where no browser test has left a loop
        return (
            another.submit(lambda: asyncio.run(news_route._ask(Request(scope, receive)))).result().status_code
        )


def test_a_stranger_is_not_even_read_and_nobody_is_read_without_end(monkeypatch):
    monkeypatch.setitem(news_route._pages, "known", object())
    strangers, known = [], []
    assert asked("guess", strangers) == 404 and strangers == []
    assert asked("known", known) == 404 and news_route.LONGEST < sum(known) <= news_route.LONGEST + 4096


class Looking:
    """What a question for news sees: versions of the lanes, and what a look finds, which a test changes
    during it.
    """

    def __init__(self, monkeypatch, *finds):
        self.finds, self.looks, self.version = list(finds), 0, 0
        monkeypatch.setitem(news_route._pages, "known", self)
        monkeypatch.setattr(news_route, "_stamp", lambda context: (self.version,))
        monkeypatch.setattr(news_route, "_look", self.look)

    async def look(self, context, known, moved):
        self.looks += 1
        self.version += 1  # something came while it looked
        told, is_measured = self.finds[min(self.looks, len(self.finds)) - 1]
        return {"told": told, "draw": False, "busy": True}, (is_measured if moved else None)

    def ask(self, *headers: tuple[bytes, bytes]) -> tuple[dict, float]:
        async def receive():
            return {"type": "http.request", "body": b"{}", "more_body": False}

        scope = {"type": "http", "method": "POST", "headers": [(b"x-explorer-page", b"known"), *headers]}
        started = time.monotonic()
        with ThreadPoolExecutor(1) as another:
            found = another.submit(lambda: asyncio.run(news_route._ask(Request(scope, receive)))).result()
        return json.loads(found.body)["told"], time.monotonic() - started


def test_what_comes_during_a_look_is_found_by_the_next_one_at_once(monkeypatch):
    told, took = Looking(monkeypatch, ({}, None), ({"cards": 1}, None)).ask()
    assert told == {"cards": 1} and took < news_route.LOOK_AGAIN_S


def test_the_answer_to_a_move_waits_for_its_first_number(monkeypatch):
    looking = Looking(
        monkeypatch, ({"curve": 1}, None), ({"cards": "older"}, False), ({"cards": "number"}, True)
    )
    move = (news_route.MOVE.encode(), b"7")
    assert looking.ask(move)[0] == {"cards": "number"} and looking.looks == 3
    assert Looking(monkeypatch, ({"curve": 1}, None)).ask()[0] == {
        "curve": 1
    }  # without a move, whatever comes
    told, took = Looking(monkeypatch, ({"cards": "older"}, False)).ask(move)
    assert (
        told == {"cards": "older"} and news_route.FIRST_S <= took < news_route.HOLD_S
    )  # a slow number is told of meanwhile


def test_a_move_that_never_arrives_is_not_waited_for_without_end(monkeypatch):
    monkeypatch.setattr(news_route, "HOLD_S", 0.1)
    assert Looking(monkeypatch, ({}, None)).ask((news_route.MOVE.encode(), b"7"))[0] == {}
    assert [news_route._count(text) for text in ("7", "", "-7", "7e9", "9" * 10)] == [7, 0, 0, 0, 0]


@pytest.mark.parametrize("name", list(ELEMENTS))
def test_every_element_has_its_script_and_says_which_function_draws(name):
    files, renderer, style, _ = ELEMENTS[name]
    assert f"function {renderer}(" in (HERE / files[-1]).read_text(encoding="utf-8")
    assert all((HERE / file).is_file() for file in (*files, *([style] if style else [])))
