"""Where things are on every page: one head, no sideways scroll, the cockpit above the fold; and what axe-core
says of it, in both themes.
"""

import json
import re
from pathlib import Path

import axe_playwright_python
import pytest
from signs import Signs

from explorer.machine import paths
from explorer.values.recipe import Recipe

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

pytestmark = pytest.mark.browser
PAGES = sorted(path.stem for path in paths.pages().glob("[!_]*.py"))
SETTLED = "[data-testid=stApp][data-test-script-state=notRunning]"
WIDE, NARROW = {"width": 1400, "height": 900}, {"width": 800, "height": 900}
PATIENCE = 120_000  # ms, for a machine with neighbours
RECIPE = Recipe(channels={"conv1": 0.25})
OF_STREAMLIT = ("scrollable-region-focusable",)  # its blocks of code cannot be reached by the keyboard
CONTRAST = ("color-contrast",)
BROKEN = "Axe encountered an error"  # as over the highlighted lines of code blocks, which are left out
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
# boxes of the Prune page, in one look
BOXES = """() => {
  const box = (node) => { const r = node.getBoundingClientRect();
    return [r.left, r.top, r.right, r.bottom]; };
  const of = (selector) => box(document.querySelector(selector));
  const columns = [...document.querySelectorAll(".st-key-cockpit [data-testid=stColumn]")].map(box);
  return { metrics: of(".st-key-metrics"), toolbar: of(".st-key-toolbar"),
    faders: columns[0], curve: columns[1],
    tools: of(".st-key-tools [role=tablist]"), plot: of(".live-figure .plot") };
}"""
CARDS = (
    "[...document.querySelectorAll('*')].find((node) => node.shadowRoot?.querySelector('.card')).shadowRoot"
)
CARDS = f"[...{CARDS}.querySelectorAll('.card')]"
CUT_NOTES = f"""() => {CARDS}.flatMap((card) => {{
  const room = card.querySelector(".notes").getBoundingClientRect();
  return [...card.querySelectorAll(".notes > div:not([hidden])")].filter((note) => {{
    const box = note.getBoundingClientRect();
    return box.bottom > room.bottom + 1 || note.scrollWidth > note.clientWidth;
  }}).map((note) => note.textContent);
}})"""
OVERLAPS = """() => {
  const boxes = [...document.querySelectorAll(".live-figure .names li")]
    .map((item) => item.getBoundingClientRect());
  return boxes.filter((one, i) => boxes.slice(i + 1).some((other) => one.left < other.right - 1
    && other.left < one.right - 1 && one.top < other.bottom - 1 && other.top < one.bottom - 1)).length;
}"""
FADE_MS = 500  # of what opens, and of colours that change
OPENED = "[data-testid=stPopoverBody], [role=menu]"
OPENERS = (
    "help-menu",
    "upload-menu",
    "preset",
    "ratios-menu",
    "recipes-menu",
    "keep-menu",
    "take-away-menu",
    "options-menu",
)
# of the page, once each part of it that has colours of its own has the same; "" until then
BACKGROUND = """() => {
  const colour = getComputedStyle(document.querySelector(".stApp")).backgroundColor;
  const probe = document.body.appendChild(document.createElement("i"));
  const isSame = [...document.querySelectorAll(".stBidiComponentRegular")].every((part) => {
    probe.style.color = getComputedStyle(part).getPropertyValue("--st-background-color");
    return getComputedStyle(probe).color === colour;
  });
  probe.remove();
  return isSame ? colour : "";
}"""
SIDEWAYS = "() => document.documentElement.scrollWidth - window.innerWidth"


def opened(page, served, name: str) -> None:
    """Open a page with a recipe by its address."""
    page.set_default_timeout(PATIENCE)
    page.set_viewport_size(WIDE)
    page.goto(f"{served}/{'' if name == 'prune' else name}?model=digits-cnn&recipe={RECIPE.to_url()}")
    rests(page)


def rests(page) -> None:
    page.wait_for_selector(SETTLED)
    expect(page.locator("h1")).to_have_count(1, timeout=PATIENCE)


@pytest.fixture(scope="module")
def watched(browser, server):
    """A browser that goes from page to page, as loading all scripts costs more than what is looked at, and
    its signs.
    """
    context, signs = browser.new_context(reduced_motion="reduce"), Signs(server.url, server.log)
    signs.watch(context)
    page = context.new_page()
    opened(page, server.url, "prune")
    yield page, signs
    context.close()


@pytest.fixture
def turn_to(watched):
    """Choose a page from the menu."""
    page, signs = watched

    def turn_to(name: str):
        page.set_viewport_size(WIDE)
        page.emulate_media(color_scheme="light")
        page.get_by_test_id("stSidebarNavLink").filter(has_text=name.capitalize()).click()
        expect(page.locator("h1")).to_have_text([name.capitalize()], timeout=PATIENCE)
        rests(page)
        return page

    yield turn_to
    signs.check()


@pytest.mark.parametrize("name", PAGES)
def test_every_page_has_one_head_a_title_of_its_own_and_no_sideways_scroll(turn_to, name):
    page = turn_to(name)
    expect(page).to_have_title(re.compile(rf"^{name.capitalize()} - digits-cnn$"), timeout=PATIENCE)
    assert page.evaluate(SIDEWAYS) <= 0
    page.set_viewport_size(NARROW)
    page.wait_for_timeout(300)
    assert page.evaluate(SIDEWAYS) <= 0
    page.set_viewport_size(WIDE)
    page.wait_for_timeout(300)
    assert serious(page) == []
    turned(page, "dark")
    assert serious(page, CONTRAST) == []  # all else is the same in both themes


def test_the_cockpit_is_above_the_fold_or_in_a_narrow_window_below_the_numbers(turn_to):
    page = turn_to("prune")
    page.wait_for_selector(".strip")
    expect(page.locator(".live-figure .plot")).to_be_visible()
    boxes = page.evaluate(BOXES)
    assert boxes["metrics"][3] <= boxes["toolbar"][1] <= boxes["faders"][1]
    assert boxes["faders"][2] <= boxes["curve"][0]  # next to each other
    assert max(boxes["faders"][3], boxes["plot"][3], boxes["tools"][3]) <= WIDE["height"]
    assert page.evaluate(OVERLAPS) == 0
    page.set_viewport_size(NARROW)
    page.wait_for_timeout(500)
    boxes = page.evaluate(BOXES)
    assert boxes["faders"][3] <= boxes["curve"][1]
    assert page.evaluate(CUT_NOTES) == []
    page.locator(".live-figure .plot").scroll_into_view_if_needed()
    assert page.evaluate(BOXES)["metrics"][1] >= 0
    # negative control: notes that have no room
    page.evaluate(
        f"() => {{ {CARDS}.forEach((card) => (card.querySelector('.notes').style.height = '9px')); }}"
    )
    assert len(page.evaluate(CUT_NOTES)) > 0


@pytest.mark.parametrize("model", ["digits-cnn", "shapes-mobilenet"])
def test_the_row_of_tools_is_seen_at_once_under_the_welcome_too(page, served, model):
    page.set_default_timeout(PATIENCE)
    page.set_viewport_size(WIDE)
    page.goto(f"{served}/?model={model}")
    rests(page)
    page.wait_for_selector(".live-figure .names li")
    expect(page.locator(".st-key-first-minute")).to_contain_text("New here?")
    boxes = page.evaluate(BOXES)
    assert boxes["tools"][3] <= WIDE["height"]
    assert boxes["plot"][3] - boxes["plot"][1] >= 200, "the curve has room to be read"
    # negative controls: a window that is too low, and entries of a legend that lie on each other
    page.set_viewport_size({"width": 1400, "height": 700})
    page.wait_for_function(f"() => ({BOXES})().tools[3] > 700")
    page.add_style_tag(content=".live-figure .names li { position: absolute !important; left: 0; top: 0; }")
    page.wait_for_function(f"() => ({OVERLAPS})() > 0")


def test_the_first_stop_of_the_tab_key_leads_to_the_content_and_what_is_wrong_is_seen(page, served):
    opened(page, served, "guide")
    page.wait_for_selector(".skip-link", state="attached")
    # negative controls: text that nobody can read, and a box that is too wide
    page.evaluate("() => { document.querySelector('h1').style.color = '#eeeeee'; }")
    assert any(found.startswith("color-contrast") for found in serious(page, CONTRAST))
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#page-title")).to_be_focused()
    page.evaluate(
        "() => { const wide = document.body.appendChild(document.createElement('div'));"
        " wide.style.cssText = 'position: absolute; top: 0; left: 0; width: 3000px; height: 9px'; }"
    )
    assert page.evaluate(SIDEWAYS) > 0


def in_both_themes(page) -> list[str]:
    """What axe-core calls serious of what is shown now, in the light theme and then in the dark one."""
    page.wait_for_selector(SETTLED)
    page.wait_for_timeout(FADE_MS)
    problems = steady(page)
    turned(page, "dark")
    page.wait_for_timeout(FADE_MS)
    problems += steady(page, CONTRAST)
    turned(page, "light")
    return problems


def steady(page, rules: tuple[str, ...] = ()) -> list[str]:
    """What is still serious after colours had more time to come to rest, on a busy machine."""
    for _ in range(3):
        if not (problems := serious(page, rules)):
            break
        page.wait_for_timeout(4 * FADE_MS)
    return problems


def turned(page, scheme: str) -> None:
    """Wait until everything has the colours of the theme, which a busy machine draws one after the other."""
    before = page.wait_for_function(BACKGROUND).json_value()
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(f"() => !['', {before!r}].includes(({BACKGROUND})())")


@pytest.mark.parametrize("opener", OPENERS)
def test_what_opens_over_the_page_can_be_read_by_all(turn_to, opener):
    page = turn_to("prune")
    page.wait_for_selector(".strip")
    button = page.locator(f".st-key-{opener} button").first
    button.click()
    expect(page.locator(OPENED).first).to_be_visible()
    assert in_both_themes(page) == []
    page.keyboard.press("Escape")
    expect(page.locator(OPENED)).to_have_count(0)


def test_what_a_button_opens_is_not_under_what_it_says_of_itself(turn_to):
    page = turn_to("prune")
    button, tip = page.locator(".st-key-preset button").first, page.get_by_test_id("stTooltipContent")
    button.hover()
    expect(tip).to_be_visible()
    assert len(tip.inner_text()) < 80
    button.click()
    expect(page.locator(OPENED)).to_be_visible()
    expect(tip.locator("visible=true")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator(OPENED)).to_have_count(0)


@pytest.mark.parametrize("tab", ["Sensitivity", "Fast widths", "Search", "Table", "Held-out check"])
def test_every_tool_can_be_read_by_all(turn_to, tab):
    page = turn_to("prune")
    page.get_by_role("tab", name=tab).click()
    for summary in page.locator("[role=tabpanel]:visible summary").all():
        summary.click()
    assert in_both_themes(page) == []


@pytest.mark.parametrize("mode", ["Weights", "Both"])
def test_every_mode_can_be_read_by_all(turn_to, mode):
    page = turn_to("prune")
    page.get_by_role("radio", name=mode).click()
    expect(page.get_by_role("slider", name=re.compile("^Weights: fc")).first).to_be_visible()
    assert in_both_themes(page) == []
    page.get_by_role("radio", name="Channels").click()
    expect(page.get_by_role("slider", name=re.compile("^Weights: fc"))).to_have_count(0)


def test_each_step_of_the_tour_can_be_read_by_all(turn_to):
    page = turn_to("prune")
    page.locator(".st-key-help-menu button").first.click()
    page.get_by_role("button", name="Take the tour").click()
    page.keyboard.press("Escape")
    for step in range(1, 5):
        expect(page.get_by_text(f"{step} of 4:")).to_be_visible()
        assert in_both_themes(page) == []
        if step < 4:
            page.locator(".st-key-tour-next button").first.click()
    page.locator(".st-key-tour-end button").first.click()
    expect(page.get_by_text("4 of 4:")).to_have_count(0)


def test_help_shows_what_can_be_removed_as_pictures(turn_to):
    page = turn_to("prune")
    page.locator(".st-key-help-menu button").first.click()
    pictures = page.locator(".kinds img")
    expect(pictures).to_have_count(3)
    assert all(pictures.evaluate_all("(all) => all.map((one) => one.complete && one.naturalWidth > 0)"))
    page.keyboard.press("Escape")


def test_pictures_of_channels_are_shown(turn_to):
    page = turn_to("channels")
    expect(page.locator(".gallery figure").first).to_be_visible(timeout=PATIENCE)


def serious(page, rules: tuple[str, ...] = ()) -> list[str]:
    """What axe-core calls serious or critical, one line a rule; by all rules unless some are named."""
    page.add_script_tag(path=str(AXE))
    results = page.evaluate(
        "(rules) => axe.run({ include: ['html'], exclude: ['pre'] }, {"
        " resultTypes: ['violations', 'incomplete'], ...(rules.length ? { runOnly: rules } : {}) })",
        list(rules),
    )
    # a rule that stumbles over one element says nothing of all others: no silence, but a fault of this test
    assert [one["id"] for one in results["incomplete"] if BROKEN in json.dumps(one)] == []
    return [
        f"{one['id']}: {json.dumps([node['html'][:120] for node in one['nodes'][:3]])}"
        for one in results["violations"]
        if one["impact"] in ("serious", "critical") and one["id"] not in OF_STREAMLIT
    ]
