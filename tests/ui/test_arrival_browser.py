"""What arrives late has its place: once a page is laid out, nothing on it moves any more."""

import pytest

from explorer.values.recipe import Recipe

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

pytestmark = pytest.mark.browser
PATIENCE = 120_000  # ms, for a machine with neighbours
REST_MS = 3_000  # after the last thing is there
MOST = 1.0  # pixel
WIDE = {"width": 1400, "height": 900}
PLACES = {
    "": (".st-key-metrics", ".st-key-first-minute", ".st-key-toolbar", ".st-key-rules", ".st-key-curve"),
    "behaviour": (
        ".st-key-behaviour-status-place",
        ".st-key-behaviour-classes",
        ".st-key-behaviour-confusion",
    ),
}
# Writes down where some things are whenever they are elsewhere, from the moment on in which the page has its
# style and its letters, which push everything.
WATCH = """(places) => {
  const seen = {}, moves = window.moves = [];
  const look = () => {
    const head = document.querySelector(".page-head h1");
    if (!head || getComputedStyle(head).lineHeight === "normal" || document.fonts.status !== "loaded") return;
    if (getComputedStyle(document.querySelector(".stMainBlockContainer")).paddingTop !== "16px") return;
    for (const place of places) {
      const box = document.querySelector(place)?.getBoundingClientRect();
      if (!box?.height) continue;
      if (seen[place] !== undefined && seen[place] !== box.top) moves.push([place, seen[place], box.top]);
      seen[place] = box.top;
    }
    window.found = Object.keys(seen);
  };
  setInterval(look, 30);
}"""

# Where the words next to the progress begin, at each look.
WATCH_WORDS = """() => {
  window.lefts = new Set();
  setInterval(() => {
    for (const { shadowRoot } of document.querySelectorAll("*")) {
      const words = shadowRoot?.querySelector(".status:not(.refused, .crash) .words");
      if (words?.textContent) lefts.add(Math.round(words.getBoundingClientRect().left));
    }
  }, 30);
}"""


def jumps(moves: list[list]) -> list[str]:
    """The moves that somebody sees."""
    return [f"{place}: {before:.0f} to {now:.0f}" for place, before, now in moves if abs(now - before) > MOST]


@pytest.mark.parametrize("name", list(PLACES))
def test_nothing_moves_once_the_page_is_laid_out(page, served, name):
    places = list(PLACES[name])
    page.set_default_timeout(PATIENCE)
    page.set_viewport_size(WIDE)
    page.add_init_script(f"({WATCH})({places})")
    recipe = Recipe(channels={"conv1": 0.25}) if name else Recipe()
    page.goto(f"{served}/{name}?model=digits-cnn" + (f"&recipe={recipe.to_url()}" if name else ""))
    done = "All 450 requested samples" if name else "Final: measured"
    expect(page.get_by_text(done).first).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(REST_MS)
    assert sorted(page.evaluate("found")) == sorted(places)
    assert jumps(page.evaluate("moves")) == []
    # negative control: something arrives that had no place
    page.evaluate(
        "() => { const late = document.createElement('div'); late.style.height = '9px';"
        " document.querySelector('.stMainBlockContainer').prepend(late); }"
    )
    page.wait_for_timeout(REST_MS // 10)
    assert len(jumps(page.evaluate("moves"))) >= 1


def test_the_words_next_to_the_progress_stay_where_they_are(page, served):
    page.set_default_timeout(PATIENCE)
    page.set_viewport_size(WIDE)
    page.goto(f"{served}/?model=digits-cnn")
    expect(page.get_by_text("Final: measured").first).to_be_visible(timeout=PATIENCE)
    page.evaluate(WATCH_WORDS)
    page.locator(".st-key-preset button").first.click()
    page.get_by_text("Hard: half").first.click()
    back = page.get_by_role("button", name="Win it back")
    expect(back).to_be_visible(timeout=PATIENCE)
    page.wait_for_timeout(REST_MS // 10)
    assert page.evaluate("lefts.size") == 1
    # negative control: a button that takes more room than there is
    back.evaluate("(node) => { node.parentElement.style.flexBasis = '20rem'; }")
    page.wait_for_timeout(REST_MS // 10)
    assert page.evaluate("lefts.size") == 2
