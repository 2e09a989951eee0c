"""Regions are drawn again when what they show has changed, and only then."""

import threading

import pytest
from live_page import CURVE, SCAN, RerunError
from streamlit.errors import StreamlitAPIException

from explorer.background.jobs import JobState
from explorer.ui import session
from explorer.ui.live import regions, ticker


def answer() -> list[str]:
    """The regions that a question of the browser has drawn; none means that only the ticker is."""
    try:
        ticker._answer()
    except RerunError as asked:
        return list(asked.args)
    return []


# --------------------------------------------------------------------------- regions


def test_only_the_regions_of_the_lane_with_news_are_drawn(page):
    regions.watched("cards", lambda: None, session.LIVE_LANE)
    regions.watched("curve", lambda: None, CURVE)
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


# --------------------------------------------------------------------------- pages that come and go


def test_while_a_page_is_drawn_there_is_more_to_come_but_nothing_is_drawn_beside_it(page):
    shown = ["a"]
    run = regions.begin()
    regions.watched("parts", lambda: None, facet=lambda: shown[0])
    shown[0] = "b"
    assert regions.busy() and not regions.is_due()
    run.is_complete = True
    assert regions.busy() and regions.is_due()


def test_a_region_of_a_run_that_was_given_up_is_not_of_the_page_that_is_shown(page):
    """The thread of the old run goes on for a moment after the new one has begun."""
    begun, goes_on = threading.Event(), threading.Event()

    def old_run() -> None:
        regions.begin()
        begun.set()
        goes_on.wait(10)
        regions.watched("of the old page", lambda: None, facet=lambda: 0)

    old = threading.Thread(target=old_run)
    old.start()
    begun.wait(10)
    regions.begin()
    regions.watched("of the new page", lambda: None, facet=lambda: 0)
    goes_on.set()
    old.join(10)
    assert list(regions.watch().regions) == ["of the new page"]
    assert list(session.recalled(regions.STATE).regions) == ["of the new page"]


def test_what_hurries_still_does_in_the_next_run_of_the_page(page, clock):
    regions.hurry()
    regions.begin()
    assert not regions.rests()
    clock[0] += regions.PATIENCE_S
    assert regions.rests()


def test_a_message_of_a_page_that_was_left_draws_the_page_that_is_there(page, monkeypatch):
    asked = []

    def rerun(names=None):
        asked.append(names)
        if names:
            raise StreamlitAPIException(f"No fragment found for target {names[-1]!r}.")
        raise RerunError()

    monkeypatch.setattr(regions.st, "rerun", rerun)
    with pytest.raises(RerunError):
        regions.draw(["cards"])
    assert asked == [["cards", regions.TICKER], None]


def test_of_some_regions_those_are_drawn_that_are_out_of_date(page):
    shown = {"console": 0, "undo": 0}
    for name in shown:
        regions.watched(name, lambda: None, facet=lambda name=name: shown[name])
    with pytest.raises(RerunError) as asked:
        regions.draw_stale("console", "undo", "not on this page")
    assert asked.value.args == (regions.TICKER,)
    shown["undo"] = 1
    with pytest.raises(RerunError) as asked:
        regions.draw_stale("console", "undo", "not on this page")
    assert asked.value.args == ("undo", regions.TICKER)


def test_the_page_runs_again_for_an_element_whose_job_has_ended_since_it_was_drawn(page, drawn):
    shown = ["first samples"]
    regions.watched("cards", lambda: None, facet=lambda: shown[0], pushed=True)
    ticker._ticker()
    shown[0] = "final"
    ticker._ticker()
    assert [data["busy"] for _, data in drawn] == [False, True]
