"""Regions are drawn anew when what they show has changed, and only then."""

import pytest

from explorer.job_state import JobState
from explorer.ui import session, watched
from explorer.ui.elements import ELEMENTS, HERE


class Rerun(Exception):
    """What st.rerun is here: the names that were asked for."""


@pytest.fixture
def page(monkeypatch):
    """A page without a browser: lanes whose state a test sets, and reruns that a test sees."""
    states: dict[str, JobState] = {}
    kept: dict[str, object] = {}
    monkeypatch.setattr(session, "lane_state", lambda lane: states.get(lane, JobState()))
    monkeypatch.setattr(session, "recalled", lambda name, default=None: kept.get(name, default))
    monkeypatch.setattr(session, "remember", kept.__setitem__)
    monkeypatch.setattr(watched.st, "fragment", lambda key: lambda draw: draw)

    def rerun(names):
        raise Rerun(*names)

    monkeypatch.setattr(watched.st, "rerun", rerun)
    watched.begin()
    return states


def answer() -> list[str]:
    """The regions that a question of the browser has drawn; none means that the ticker asks again."""
    try:
        watched._answer()
    except Rerun as asked:
        return list(asked.args)
    return []


def test_only_the_regions_of_the_lane_with_news_are_drawn(page):
    watched.watched("cards", lambda: None, "live")
    watched.watched("curve", lambda: None, "curve")
    assert answer() == []
    page["live"] = JobState(version=1)
    assert answer() == ["cards", watched.TICKER]


def test_a_region_with_a_facet_waits_for_its_facet(page):
    shown = ["a"]
    watched.watched("parts", lambda: None, "live", facet=lambda: shown[0])
    page["live"] = JobState(version=7)
    assert answer() == []
    shown[0] = "b"
    assert answer() == ["parts", watched.TICKER]


def test_a_region_that_was_drawn_is_up_to_date(page):
    drawn = []
    watched.watched("cards", lambda: drawn.append(1), "live")
    page["live"] = JobState(version=1)
    assert answer() != []
    watched.watched("cards", lambda: drawn.append(2), "live")
    assert answer() == [] and drawn == [1, 2]


def test_progress_is_drawn_now_and_then_while_a_lane_works(page):
    watched.watched("status", lambda: None, "live", progress=True, prompt=True)
    page["live"] = JobState(running=True)
    answers = [answer() for _ in range(8)]
    assert answers[0] == [] and answers[-1] == ["status", watched.TICKER]
    page["live"] = JobState()
    assert answer() == []


def test_after_a_move_only_what_the_hand_waits_for_is_drawn_at_once(page):
    recipe = ["dense"]
    watched.watched("cards", lambda: None, "live", facet=lambda: recipe[0], prompt=True)
    watched.watched("curve", lambda: None, "curve", facet=lambda: recipe[0])
    recipe[0] = "pruned"
    with pytest.raises(Rerun) as asked:
        watched.refresh(prompt=True)
    assert list(asked.value.args) == ["cards", watched.TICKER]
    watched.watched("cards", lambda: None, "live", facet=lambda: recipe[0], prompt=True)
    answers = [answer() for _ in range(8)]
    assert answers[0] == [] and answers[-1] == ["curve", watched.TICKER]


def test_looks_become_rarer_until_something_is_begun(page):
    pauses = []
    for _ in range(12):
        answer()
        pauses.append(watched._watch().pause)
    assert pauses == sorted(pauses) and pauses[-1] == watched.LONGEST_PAUSE_MS
    watched.hurry()
    assert watched._watch().pause == watched.FIRST_PAUSE_MS


@pytest.mark.parametrize("name", list(ELEMENTS))
def test_every_element_has_its_script_and_says_which_function_draws(name):
    files, renderer, style, _ = ELEMENTS[name]
    assert f"function {renderer}(" in (HERE / files[-1]).read_text(encoding="utf-8")
    assert all((HERE / file).is_file() for file in (*files, *([style] if style else [])))
