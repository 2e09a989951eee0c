"""The accuracy budget on the Prune page: asked for, measured in the background, taken as one step that can be undone."""

import time

import pytest
from streamlit.testing.v1 import AppTest

from explorer import paths
from explorer.ui import settings

PAGE = paths.pages() / "prune.py"


@pytest.fixture(autouse=True)
def offered(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNING_EXPLORER_CACHE", str(tmp_path))
    before = settings.current()
    settings.configure(settings.Settings(models=("digits-mlp",), device="cpu"))
    yield
    settings.configure(before)


def opened() -> AppTest:
    return AppTest.from_file(str(PAGE), default_timeout=60).run()


def keys(page: AppTest) -> set[str]:
    return {button.key for button in page.button}


def run_until(page: AppTest, ready) -> AppTest:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        page.run()
        assert not page.exception and not page.error
        if ready(page):
            return page
        time.sleep(0.05)
    raise TimeoutError("Nothing came within 60 s.")


def test_a_budget_is_found_and_taken_as_one_step():
    page = opened()
    assert "start budget" in keys(page)
    page.number_input(key="budget_points").set_value(20.0).run()
    page.button(key="start budget").click()
    run_until(page, lambda page: {"take budget"} <= keys(page) and not {"stop budget"} & keys(page))
    assert any("of 7 looks" in text.value for text in page.markdown)
    assert any("of the parameters are left" in caption.value for caption in page.caption)
    page.button(key="take budget").click().run()
    undo = page.button(key="undo")
    assert not page.exception and not undo.disabled and "at most 20 points lost" in undo.help
    page.button(key="undo").click().run()
    assert page.button(key="undo").disabled


def test_another_question_forgets_the_answer_to_the_last():
    page = opened()
    page.number_input(key="budget_points").set_value(30.0).run()
    page.button(key="start budget").click()
    run_until(page, lambda page: "take budget" in keys(page))
    page.number_input(key="budget_points").set_value(15.0).run()
    assert "take budget" not in keys(page) and "start budget" in keys(page)


def test_an_allocator_that_needs_a_scan_says_so():
    page = opened()
    page.selectbox(key="allocator").set_value("sensitivity_budget").run()
    page.button(key="start budget").click()
    until = time.monotonic() + 60
    while time.monotonic() < until and not page.error:
        page.run()
        time.sleep(0.05)
    assert "run the scan first" in page.error[0].value and not page.exception and "start budget" in keys(page)
