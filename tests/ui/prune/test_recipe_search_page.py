"""The search on the Prune page: trials in the background, a front to choose from, and the winner's two
numbers.
"""

import importlib.util

import pytest
from apps import keys, offering, opened, until, words

from explorer.figures.search_front import search_front
from explorer.measuring.statistics import paired_drop, wilson
from explorer.studies.search_trials import Search, SearchPlan, Trial
from explorer.ui.prune import search_results
from explorer.values.recipe import Recipe
from explorer.values.report import Measurement

FEW = 5


@pytest.fixture(autouse=True)
def offered(own_cache):
    with offering("digits-mlp"):
        yield


def test_trials_are_searched_taken_and_the_winner_is_checked_once():
    pytest.importorskip("optuna")
    page = opened("prune")
    page.number_input(key="search trials").set_value(FEW).run()
    page.number_input(key="search points").set_value(50.0).run()
    page.button(key="start search").click().run()
    # all trials are there; the run of the page during which they end may still offer to stop
    until(page, lambda page: keys(page).isdisjoint({"start search", "stop search"}))
    assert "check winner" in keys(page)
    trial = next(box.value for box in page.selectbox if box.label == "Trial")
    page.button(key="take trial").click()
    until(page, lambda page: not page.button(key="undo").disabled)
    assert f"trial {trial} of the search" in page.button(key="undo").help
    page.button(key="check winner").click()
    until(page, "opened 1 time")
    assert "Tuning split, by which it was chosen" in str(page.table[0].value) and "check winner" not in keys(
        page
    )


def test_a_search_can_be_stopped_and_goes_on():
    pytest.importorskip("optuna")
    page = opened("prune")
    page.number_input(key="search trials").set_value(200).run()
    page.button(key="start search").click().run()
    until(page, lambda page: "take trial" in keys(page))
    page.button(key="stop search").click().run()
    until(page, lambda page: "start search" in keys(page))
    assert any(button.label == "Go on" for button in page.button)


def test_without_the_optimiser_the_page_says_how_to_install_it(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "optuna" else find(name, *rest)
    )
    page = opened("prune")
    assert "pip install 'pruning-explorer[search]'" in words(page) and "start search" not in keys(page)


def trial(number, correct, cost):
    low, high = wilson(correct, 100)
    measured = Measurement(correct / 100, low, high, samples=100, correct=correct)
    return Trial(
        number, Recipe(), "optimiser", cost, measured, 100, paired_drop(95 - correct, 0, 100), "0" * 24
    )


def test_the_figure_draws_the_front_the_winner_and_what_may_be_lost():
    search_done = Search(
        SearchPlan(4, largest_drop=0.05),
        (trial(0, 90, 0.5), trial(1, 95, 0.8), trial(2, 89, 0.6), trial(3, 70, 0.2)),
    )
    drawn = search_front(search_done, chosen=2)
    traces = {trace.name: trace for trace in drawn.data}
    assert list(traces["on the front"].x) == [20.0, 50.0, 80.0] and list(traces["on the front"].y) == [
        70.0,
        90.0,
        95.0,
    ]
    assert list(traces["beaten"].x) == [60.0] == list(traces["chosen"].x)
    assert list(traces["winner"].x) == [100 * search_done.winner.cost]
    dense, least = (shape.y0 for shape in drawn.layout.shapes)
    assert dense - least == pytest.approx(5.0)
    assert search_front(None).layout.annotations[0].text == "No trial has been measured yet"


def test_a_click_names_its_trial():
    assert search_results.clicked({"selection": {"points": [{"customdata": [4, "lamp at 50 %"]}]}}) == 4
    nothing = (None, {"selection": {"points": [{}]}})
    assert [search_results.clicked(event) for event in nothing] == [None, None]
