"""The keyboard alone: the Tab key comes to everything on a page, in its order, and the focus is seen."""

import pytest
from keyboard import tab_walk

from explorer.values.recipe import Recipe

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

pytestmark = pytest.mark.browser
PATIENCE = 120_000  # ms, for a machine with neighbours
SETTLED = "[data-testid=stApp][data-test-script-state=notRunning]"
RECIPE = Recipe(channels={"conv2": 0.25})
# the pages with the most kinds of controls, by what is there once they are complete
COMPLETE = {
    "prune": "Final: measured",
    "structure": "All coupled groups",
    "explore": "As the recipe leaves it",
    "recover": "Draw the curve",
}
WRONG = """
  <style>.faint:focus { outline: none; }</style>
  <p style="height: 40px"><button style="position: absolute; left: 4px; top: 30px">first</button></p>
  <button style="width: 50px; height: 20px"></button>
  <button class="faint" style="position: absolute; left: 4px; top: 90px">faint</button>
  <button tabindex="-1">passed by</button>
  <button style="position: absolute; left: 4px; top: 2px">too late</button>
"""
TRAP = '<button>before</button><button onkeydown="event.preventDefault()">held</button>'
FEW = 9  # presses on a page with two buttons
# the second button is replaced, once, when the third has the focus
REPLACED = """<button>first</button><button id="old">second</button><button id="third">third</button><script>
  third.addEventListener("focus", () => { old.outerHTML = "<button>second</button>"; }, { once: true });
</script>"""


def opened(page, address: str) -> None:
    page.set_default_timeout(PATIENCE)
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(address)
    page.wait_for_selector(SETTLED)


def test_the_tab_key_comes_to_everything_in_its_order_and_is_seen(page, served):
    opened(page, f"{served}/?model=digits-cnn&recipe={RECIPE.to_url()}")
    for name, words in COMPLETE.items():
        page.get_by_test_id("stSidebarNavLink").filter(has_text=name.capitalize()).click()
        expect(page.locator("h1")).to_have_text([name.capitalize()], timeout=PATIENCE)
        expect(page.get_by_text(words).first).to_be_visible(timeout=PATIENCE)
        page.wait_for_timeout(1000)
        page.wait_for_selector(SETTLED)
        assert tab_walk(page).faults() == [], name


def test_each_kind_of_fault_is_seen(page):
    page.set_content(WRONG)
    found = [fault.split(" at (")[0] for fault in tab_walk(page).faults()]
    assert found == [
        "no name: button",
        "looks the same with the focus: faint",
        "back up, to too late",
        "never reached: button passed by",
    ]
    page.set_content(TRAP)
    assert tab_walk(page, FEW).faults() == ["a trap after before"]


def test_a_page_that_changes_under_the_walk_is_walked_again(page):
    page.set_content(REPLACED)
    assert tab_walk(page).faults() == []
    page.set_content(REPLACED.replace("{ once: true }", "{}").replace('"<button>', '"<button id=old>'))
    assert tab_walk(page).faults() == ["never reached: button second"]
