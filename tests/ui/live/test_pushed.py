"""Elements are told what they show, part by part, when that has changed, and only then."""

import pytest
from live_page import CURVE

from explorer.ui import session
from explorer.ui.live import pushed, regions
from explorer.ui.live.protocol import NewsQuestion
from explorer.ui.live.pushed import LiveValue


def test_an_element_is_told_the_parts_that_changed_and_no_region_is_drawn_for_it(page, drawn):
    value, seen = {"a": 1, "b": 2}, [0]
    pushed.pushed("cards", LiveValue("cards", lambda: dict(value), lambda: seen[0], (session.LIVE_LANE,)))
    ((_, data),) = drawn
    assert data["value"] == value and data["session"] == "session" and data["name"] == "cards"
    nothing = {"told": {}, "taken": 0, "draw": False, "busy": False}
    assert pushed.answer({"cards": data["turn"]}) == nothing
    value["b"], seen[0] = 3, 1
    found = pushed.answer({"cards": data["turn"]})
    assert found["told"]["cards"]["value"] == {"b": 3} and not found["draw"]
    assert regions.stale() == []
    assert pushed.answer({"cards": found["told"]["cards"]["turn"]})["told"] == {}
    # a browser that knows nothing is told all
    assert pushed.answer({})["told"]["cards"]["value"] == {"a": 1, "b": 3}
    del value["a"]
    seen[0] = 2
    assert pushed.answer({"cards": data["turn"]})["told"]["cards"]["value"] == {"a": None, "b": 3}


def test_a_number_that_is_none_is_told_as_null(page, drawn):
    made = {"loss": float("nan"), "points": [1.0, float("inf")]}
    pushed.pushed("cards", LiveValue("cards", lambda: made, lambda: 0, (session.LIVE_LANE,)))
    assert drawn[0][1]["value"] == {"loss": None, "points": [1.0, None]}
    assert pushed.answer({})["told"]["cards"]["value"] == {"points": [1.0, None]}  # null is what is not there


def test_an_element_with_nothing_to_show_has_a_turn(page, drawn):
    pushed.pushed("curve", LiveValue("figure", dict, lambda: 0, (CURVE,)))
    ((_, data),) = drawn
    assert data["value"] == {} and data["turn"] > 0
    assert pushed.answer({"curve": data["turn"]})["told"] == {}
    assert pushed.answer({})["told"]["curve"]["value"] == {}


def test_a_patient_element_waits_for_the_hand_and_is_asked_for_again(page, drawn, clock):
    seen = [0]
    value = LiveValue("figure", lambda: {"points": seen[0]}, lambda: seen[0], (CURVE,), patient=True)
    pushed.pushed("curve", value)
    turn = drawn[0][1]["turn"]
    regions.hurry()
    seen[0] = 1
    waits = pushed.answer({"curve": turn})
    assert waits["told"] == {} and waits["busy"] and not waits["draw"]
    clock[0] += regions.REST_S + 0.01
    assert pushed.answer({"curve": turn})["told"]["curve"]["value"] == {"points": 1}


def test_an_element_with_a_pause_is_told_the_last_value_in_the_end(page, drawn, clock):
    seen = [0]
    value = LiveValue("status", lambda: {"done": seen[0]}, lambda: seen[0], (session.LIVE_LANE,), pause=0.3)
    pushed.pushed("status", value)
    turn = drawn[0][1]["turn"]
    seen[0] = 1
    assert pushed.answer({"status": turn})["busy"]
    seen[0] = 2
    clock[0] += 0.31
    assert pushed.answer({"status": turn})["told"]["status"]["value"] == {"done": 2}


def test_a_run_of_the_page_sends_what_stayed_the_same_under_its_turn_and_what_changed_under_a_later_one(
    page, drawn
):
    value, seen = {"a": 1, "b": 2}, [0]
    for a in (1, 1, 5):
        regions.begin().is_complete = True
        value["a"], seen[0] = a, seen[0] + 1
        pushed.pushed("cards", LiveValue("cards", lambda: dict(value), lambda: seen[0], (session.LIVE_LANE,)))
    first, second, third = (data for _, data in drawn)
    assert second == first  # Streamlit does not send it again
    assert third["turn"] > first["turn"] and third["value"] == {"a": 5, "b": 2}
    assert pushed.answer({"cards": third["turn"]})["told"] == {}


def test_what_one_model_showed_is_gone_with_another(page, drawn):
    for value in ({"layout": 1, "wrong": True}, {"words": "nothing yet"}):
        regions.begin().is_complete = True
        pushed.pushed("curve", LiveValue("figure", lambda value=value: value, lambda value=value: str(value)))
    first, second = (data for _, data in drawn)
    late = pushed.answer({"curve": first["turn"]})["told"]["curve"]  # asked before the run of the page came
    assert late == {"turn": second["turn"], "value": {"layout": None, "wrong": None, "words": "nothing yet"}}


def test_only_elements_of_the_page_that_is_shown_are_told(page, drawn):
    pushed.pushed("cards", LiveValue("cards", lambda: {"a": 1}, lambda: 0))
    regions.begin().is_complete = True
    pushed.pushed("curve", LiveValue("figure", lambda: {"b": 1}, lambda: 0))
    assert set(pushed.answer({})["told"]) == {"curve"}


def test_an_edit_reaches_its_element_also_after_the_page_was_left(page, drawn):
    taken = []
    pushed.pushed("console", LiveValue("console", dict, lambda: 0, key="console m", take=taken.append))
    regions.begin()
    pushed.take(NewsQuestion({}, edit={"seq": 1}, of="console m"))
    pushed.take(NewsQuestion({}, edit={"seq": 2}, of="of nobody"))
    pushed.take(NewsQuestion({}))
    assert taken == [{"seq": 1}]


@pytest.mark.parametrize("edits", [0, 4])
def test_the_answer_says_which_edit_the_server_has(page, monkeypatch, edits):
    monkeypatch.setattr(session, "stamp", lambda: ("session", 9, edits))
    assert pushed.answer({})["taken"] == edits
