"""A drag, frame by frame: only faders, marks in figures and numbers move."""

import film
import pytest

pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.browser, pytest.mark.heavy]
PUSH = """() => { const timer = setInterval(() => { if (window.film?.frames.length > 5) {
  document.querySelector(".st-key-cockpit").style.paddingTop = "9px"; clearInterval(timer); } }, 20); }"""


@pytest.mark.parametrize("model", ["digits-cnn", "shapes-mobilenet"])
def test_nothing_but_faders_marks_and_numbers_moves_while_one_is_dragged(page, served, model):
    page.set_default_timeout(film.PATIENCE_MS)
    film.opened(page, served, model)
    taken = film.filmed(page)
    assert len(taken["frames"]) > film.STEPS and film.jumps(taken) == []


def test_a_page_that_is_pushed_down_is_seen(page, served):
    """The negative control."""
    page.set_default_timeout(film.PATIENCE_MS)
    film.opened(page, served, "digits-cnn")
    page.evaluate(PUSH)
    found = film.jumps(film.filmed(page))
    assert {jump.by[1] for jump in found} == {9.0}


def test_a_jump_is_told_by_name_time_and_distance():
    names = [["div", "", "st-key-tools", ""], ["i", "", "", ""]]
    frames = [[0, [[0, 10, 20, 5, 5], [1, 0, 0, 9, 9]]], [50, [[0, 10, 29, 5, 5], [1, 0.8, 0, 9, 9]]]]
    assert film.jumps({"frames": frames, "names": names}) == [film.Jump("div st-key-tools", 50, (0, 9))]
