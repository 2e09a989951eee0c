"""A learner in a real browser: draws a curve with pointer and keys, and is told how near it came. Skipped
without Chromium.
"""

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

pytestmark = pytest.mark.browser
MOVE = """() => {
  const late = document.createElement("div");
  late.style.height = "60px";
  document.querySelector("[data-testid=stMainBlockContainer]").prepend(late);
}"""
PATIENCE = 120_000  # ms, for a machine with neighbours


def test_a_curve_is_drawn_by_hand_and_by_keys_and_then_scored(page, served):
    page.set_viewport_size({"width": 800, "height": 1200})
    page.goto(f"{served}/learn?lesson=what_pruning_is&step=4")
    points = page.locator(".sketch .knob")
    expect(points).to_have_count(9, timeout=PATIENCE)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=PATIENCE)
    expect(page.locator("[data-testid=stButtonGroup]")).to_be_visible(timeout=PATIENCE)
    points.nth(0).hover()  # waits until it stands still
    first, last = points.nth(0).bounding_box(), points.nth(8).bounding_box()
    page.mouse.move(first["x"], first["y"])
    page.mouse.down()
    page.mouse.move((first["x"] + last["x"]) / 2, first["y"], steps=3)
    page.evaluate(MOVE)  # something arrives above the sketch, as it may while a page is being drawn
    page.mouse.move(last["x"] + last["width"], first["y"], steps=3)
    page.mouse.up()
    drawn = [int(point.get_attribute("aria-valuenow")) for point in points.all()]
    assert max(drawn) - min(drawn) <= 1 and drawn[0] > 85
    middle = page.get_by_role("slider", name="Accuracy at 50 %")
    middle.focus()
    for key in ("PageDown", "ArrowDown", "Tab", "End"):
        page.keyboard.press(key)
    expect(middle).to_have_attribute("aria-valuenow", str(drawn[3] - 11))
    expect(points.nth(4)).to_have_attribute("aria-valuenow", "100")
    page.get_by_role("button", name="Lock it in and measure").click()
    expect(page.get_by_text("Your prediction:")).to_contain_text("of 100 points", timeout=PATIENCE)
    expect(page.get_by_text("You were furthest off at 95 %")).to_be_visible()
    page.get_by_text("Predict", exact=True).click()
    expect(points.nth(4)).to_have_attribute("aria-valuenow", "100", timeout=PATIENCE)
