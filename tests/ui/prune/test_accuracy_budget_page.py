"""The accuracy budget on the Prune page: asked for, measured in the background, taken as one step that can be
undone.
"""

import pytest
from apps import keys, offering, opened, until

from explorer.values.choice import Choice
from explorer.values.recipe import Recipe


@pytest.fixture(autouse=True)
def offered(own_cache):
    with offering("digits-mlp"):
        yield


def test_a_budget_is_found_and_taken_as_one_step():
    page = opened("prune")
    assert "start budget" in keys(page)
    page.number_input(key="budget_points").set_value(20.0).run()
    page.button(key="start budget").click()
    until(page, lambda page: {"take budget"} <= keys(page) and not {"stop budget"} & keys(page))
    assert any("of 7 looks" in text.value for text in page.markdown)
    assert any("of the parameters are left" in caption.value for caption in page.caption)
    page.button(key="take budget").click().run()
    undo = page.button(key="undo")
    assert not page.exception and not undo.disabled and "accuracy falls by at most 20 points" in undo.help
    page.button(key="undo").click().run()
    assert page.button(key="undo").disabled


def test_another_question_forgets_the_answer_to_the_last():
    page = opened("prune")
    page.number_input(key="budget_points").set_value(30.0).run()
    page.button(key="start budget").click()
    until(page, lambda page: "take budget" in keys(page))
    page.number_input(key="budget_points").set_value(15.0).run()
    assert "take budget" not in keys(page) and "start budget" in keys(page)


def test_an_allocator_that_needs_a_scan_says_so():
    page = opened("prune", Recipe(criterion=Choice("l2")))  # by l1 a sample comes with its scan
    page.selectbox(key="allocator").set_value("sensitivity_budget").run()
    page.button(key="start budget").click()
    until(page, lambda page: page.warning)
    assert (
        "run the scan first" in page.warning[0].value and not page.exception and "start budget" in keys(page)
    )
