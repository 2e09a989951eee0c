"""The page in a real browser: faders, keyboard, undo, links, reload, what is sent. Skipped without
Chromium.
"""

import re
import time

import pytest
from signs import Signs

from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.ui.drawing.words import label
from explorer.values.recipe import Recipe

sync_api = pytest.importorskip("playwright.sync_api")
expect, Page = sync_api.expect, sync_api.Page

pytestmark = pytest.mark.browser
SETTLED = "[data-testid=stApp][data-test-script-state=notRunning]"
PATIENCE = 120_000  # ms, for a machine with neighbours
SHORT_WAY = 154  # pixels that the cap of a short fader goes
expect.set_options(timeout=PATIENCE)


@pytest.fixture
def prune(page, served):
    """The Prune page, in a browser of its own."""
    return Open(page, served)


@pytest.fixture(scope="module")
def watched(browser, server):
    """The page of digits-cnn that many tests share, as opening it costs more than they do, and its signs."""
    context, signs = browser.new_context(reduced_motion="reduce"), Signs(server.url, server.log)
    signs.watch(context)
    yield Open(context.new_page(), server.url), signs
    context.close()


@pytest.fixture
def dense(watched, request):
    """The Prune page with nothing pruned and its last number there."""
    opened, signs = watched
    failed = request.session.testsfailed
    if opened.page.url == "about:blank":
        opened.visit("?model=digits-cnn")
    opened.clear()
    opened.final()
    yield opened
    signs.check()
    if request.session.testsfailed > failed:
        opened.page.goto("about:blank")


class Open:
    """The page with the words that the tests need."""

    def __init__(self, page, address):
        self.page, self.address = page, address
        page.set_default_timeout(PATIENCE)
        page.set_viewport_size({"width": 1400, "height": 1000})

    def clear(self) -> None:
        """Take back every move. A press may take back one that is not in the address yet; another follows,
        but not so soon that it takes back one more on a slow machine.
        """
        until = time.monotonic() + 120
        while (before := self.recipe()) != Recipe():
            self.page.keyboard.press("Control+z")
            pressed = time.monotonic()
            while self.recipe() == before and time.monotonic() < pressed + 20:
                assert time.monotonic() < until, f"{before} was not taken back"
                self.page.wait_for_timeout(50)

    def visit(self, query: str = "") -> "Open":
        self.page.goto(f"{self.address}/{query}")
        return self.ready()

    def ready(self) -> "Open":
        self.page.wait_for_selector(".strip")
        self.page.wait_for_selector(SETTLED)
        return self

    def fader(self, name: str, bank: str = "Channels"):
        return self.page.get_by_role("slider", name=re.compile(rf"^{bank}: {re.escape(name)}\."))

    def shows(self, name: str, per_cent: float, bank: str = "Channels") -> None:
        expect(self.fader(name, bank)).to_have_attribute("aria-valuenow", f"{per_cent:g}")

    def drag(self, name: str, pixels: float, *, let_go: bool = True) -> None:
        """Take the cap and pull it up by so many pixels of a short fader, or the same share of a long one."""
        cap = self.fader(name).locator(".thumb").bounding_box()
        pixels *= max(1.0, (self.fader(name).bounding_box()["height"] - cap["height"]) / SHORT_WAY)
        x, y = cap["x"] + cap["width"] / 2, cap["y"] + cap["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x, y - pixels, steps=6)
        if let_go:
            self.page.mouse.up()

    def metric(self, label: str):
        return (
            self.page.locator(".card")
            .filter(has=self.page.locator(".label", has_text=label))
            .locator(".value")
        )

    def accuracy(self) -> float:
        text = self.metric("Accuracy").inner_text()
        return float(text.removesuffix(" %"))

    def recipe(self) -> Recipe:
        """The recipe in the address."""
        found = re.search(r"recipe=([^&]+)", self.page.url)
        return Recipe.from_url(found[1]) if found else Recipe()

    def comes_to_hold(self, part: str, bank: str = "channels", seconds: float = 60) -> float:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if part in getattr(self.recipe(), bank):
                return getattr(self.recipe(), bank)[part]
            self.page.wait_for_timeout(100)
        raise AssertionError(f"{part} did not arrive in {self.recipe()}")

    def comes_to(self, wanted: dict, seconds: float = 60) -> None:
        """An edit is on its way while the address still tells the recipe before it."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.recipe().channels == pytest.approx(wanted):
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"{wanted} did not arrive in {self.recipe()}")

    def final(self) -> None:
        # after the samples come a repaired copy's, and the latency
        expect(self.page.get_by_text("Final: measured on the model").first).to_be_visible(
            timeout=3 * PATIENCE
        )


def test_a_dragged_fader_changes_the_measured_accuracy_and_undo_brings_it_back(dense):
    whole = dense.accuracy()
    assert whole > 90
    dense.drag("conv1", 100)
    ratio = dense.comes_to_hold("conv1")
    assert 0.6 < ratio < 0.9
    expect(dense.metric("Accuracy")).not_to_have_text(f"{whole} %")
    dense.final()
    assert dense.accuracy() < whole - 10
    dense.page.keyboard.press("Control+z")
    dense.shows("conv1", 0)
    expect(dense.metric("Accuracy")).to_have_text(f"{whole} %")
    expect(dense.page.get_by_role("button", name="Redo")).to_be_enabled()
    dense.page.keyboard.press("Control+y")
    dense.shows("conv1", round(ratio * 100))
    dense.comes_to({"conv1": ratio})
    dense.page.wait_for_selector(SETTLED)
    assert dense.recipe().channels == {"conv1": ratio}  # the undo's address, sent before, does not remain


def test_by_keyboard_the_focus_goes_from_an_undo_that_is_used_up_to_redo_and_back(dense):
    dense.drag("conv2", 40)
    dense.comes_to_hold("conv2")
    undo, redo = (dense.page.get_by_role("button", name=name) for name in ("Undo", "Redo"))
    expect(undo).to_be_enabled()
    undo.focus()
    dense.page.keyboard.press("Enter")
    expect(undo).to_be_disabled()
    expect(redo).to_be_focused()
    dense.page.keyboard.press("Enter")
    expect(redo).to_be_disabled()
    expect(undo).to_be_focused()


def test_the_keyboard_passes_the_buttons_of_undo_both_ways(dense):
    dense.drag("conv2", 60)
    undo = dense.page.get_by_role("button", name="Undo")
    reset = dense.page.get_by_role("button", name="Reset", exact=True)
    expect(undo).to_be_enabled()
    undo.focus()
    dense.page.keyboard.press("Tab")
    expect(reset).to_be_focused()
    dense.page.keyboard.press("Tab")
    expect(dense.page.get_by_role("button", name="Presets")).to_be_focused()
    dense.page.keyboard.press("Shift+Tab")
    expect(reset).to_be_focused()
    dense.page.keyboard.press("Shift+Tab")
    expect(undo).to_be_focused()


def test_the_end_of_the_tour_hands_the_keyboard_on(prune):
    page = prune.visit("?model=digits-cnn").page
    page.get_by_role("button", name="Tour").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 of 4:")).to_be_visible()
    end = page.get_by_role("button", name="End the tour")
    end.focus()
    page.keyboard.press("Enter")
    expect(end).to_have_count(0)
    page.wait_for_function("() => document.activeElement !== document.body")
    page.mouse.click(700, 60)  # negative control: who uses the mouse is left where the click was
    page.wait_for_timeout(500)
    assert page.evaluate("document.activeElement.dataset.testid") == "stMain"


def test_only_a_result_is_read_aloud(dense):
    spoken = dense.page.locator(".spoken")
    expect(spoken).to_contain_text(re.compile(r"^Accuracy [0-9.]+ %\. Final"))
    dense.page.evaluate(
        "(node) => { window.said = []; new MutationObserver(() => said.push(node.textContent))"
        ".observe(node, { childList: true }); }",
        spoken.element_handle(),
    )
    dense.drag("conv2", 60)
    expect(spoken).to_contain_text("worse beyond noise")
    assert len(dense.page.evaluate("said")) == 1


def test_the_counted_numbers_follow_the_hand_before_it_lets_go(dense):
    card = dense.page.locator(".card").nth(1)
    change, notes = card.locator(".change"), card.locator(".notes")
    assert change.inner_text() == ""
    dense.drag("conv2", 60, let_go=False)
    expect(change).to_have_text(re.compile(r"^↓ [0-9.]+ %$"))
    expect(notes).to_contain_text("counted as you drag")
    assert dense.recipe() == Recipe()  # nothing was sent
    counted = change.inner_text()
    dense.page.mouse.up()
    dense.comes_to_hold("conv2")
    expect(notes).to_contain_text("× fewer")
    assert change.inner_text() == counted  # the estimate of this model is exact


def test_while_a_fader_is_dragged_numbers_and_the_point_move_and_are_marked_as_expected(prune):
    prune.visit("?model=digits-cnn").final()
    accuracy, mark = prune.page.locator(".card").first, prune.page.locator(".prospect")
    plot = prune.page.locator(".live-figure .plot")
    star = "plot => plot.data.filter((trace) => trace.meta === 'own').map(({ x }) => x[0])[0]"
    prune.page.wait_for_function("() => document.querySelector('.live-figure .plot')?.data?.length")
    asked = []
    prune.page.on("request", lambda request: asked.append(request.post_data or ""))
    prune.drag("conv2", 40, let_go=False)
    expect(accuracy.locator(".notes")).to_contain_text("predicted from each part alone")
    expect(prune.page.locator(".card.guess")).to_have_count(4)  # accuracy, parameters, size, MACs
    expect(mark).to_contain_text(re.compile(r"^predicted \d+\.\d %$"))
    first = mark.locator("path").get_attribute("transform")
    box = prune.fader("conv2").bounding_box()
    prune.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    expect(mark.locator("path")).not_to_have_attribute("transform", first)
    assert prune.recipe() == Recipe() and not any('"values"' in body for body in asked)  # nothing was sent
    assert plot.evaluate(star) == 100  # the measured one stays until there is another
    prune.page.mouse.up()
    prune.comes_to_hold("conv2")
    prune.final()
    expect(prune.page.locator(".card.guess")).to_have_count(0)
    expect(mark).to_be_hidden()
    left = f"plot => ({star})(plot) < 90 && plot.data.find((trace) => trace.meta === 'trail').x.length === 2"
    prune.page.wait_for_function(f"() => ({left})(document.querySelector('.live-figure .plot'))")


def test_keys_move_a_fader_and_readers_are_told(dense):
    dense.fader("conv3").focus()
    for key in ("PageUp", "PageUp", "PageUp", "ArrowUp", "ArrowUp", "ArrowDown"):
        dense.page.keyboard.press(key)
    dense.shows("conv3", 31)
    dense.comes_to({"conv3": 0.31})
    expect(dense.fader("conv3")).to_have_attribute("aria-valuetext", "31 % removed, 22 of 32 channels kept")
    expect(dense.fader("conv3")).to_have_attribute("aria-orientation", "vertical")
    dense.page.keyboard.press("End")
    expect(dense.fader("conv3")).to_have_attribute("aria-valuetext", "99 % removed, 1 of 32 channels kept")
    dense.page.keyboard.press("Home")
    dense.shows("conv3", 0)
    dense.page.keyboard.press("Shift+Tab")
    expect(dense.fader("conv2")).to_be_focused()


def test_a_typed_number_and_a_double_click(dense):
    field = dense.page.get_by_label("conv2: per cent removed")
    field.fill("12,5")
    field.press("Enter")
    assert dense.comes_to_hold("conv2") == 0.125
    dense.shows("conv2", 12.5)
    dense.fader("conv2").locator(".thumb").dblclick()
    dense.shows("conv2", 0)


def test_a_reload_keeps_the_recipe_of_a_link_and_goes_on_with_the_same_session(prune):
    recipe = Recipe(channels={"conv1": 0.25}, weights={"fc": 0.5})
    prune.visit(f"?model=digits-cnn&recipe={recipe.to_url()}")
    prune.shows("conv1", 25)
    prune.shows("fc", 50, "Weights")
    prune.fader("conv3").focus()
    prune.page.keyboard.press("PageUp")
    prune.comes_to({"conv1": 0.25, "conv3": 0.1})
    secret = "() => sessionStorage.getItem('pruning-explorer session')"
    before = prune.page.evaluate(secret)
    prune.page.reload()
    prune.ready().shows("conv3", 10)
    prune.shows("conv1", 25)
    prune.page.wait_for_function(f"() => ({secret})() === {before!r}", timeout=PATIENCE)
    prune.page.wait_for_selector(SETTLED)
    prune.page.keyboard.press("Control+z")  # what was done before is still known
    prune.shows("conv3", 0)
    prune.comes_to({"conv1": 0.25})
    assert prune.recipe() == recipe


def test_a_damaged_link_is_told_and_the_page_still_works(prune):
    prune.visit("?model=digits-cnn&recipe=damaged")
    expect(prune.page.get_by_text("The recipe in this link is damaged")).to_be_visible()
    prune.drag("conv1", 40)
    assert prune.comes_to_hold("conv1") > 0


def test_edits_in_quick_succession_are_all_kept(dense):
    names = ("conv1", "conv2", "conv3")
    for turn in range(2):
        for name in names:
            dense.drag(name, 8 + 4 * turn)
    wanted = {name: float(dense.fader(name).get_attribute("aria-valuenow")) / 100 for name in names}
    assert min(wanted.values()) > 0.1
    dense.comes_to(wanted)
    dense.final()
    assert dense.recipe().channels == pytest.approx(wanted)
    for name in names:
        dense.shows(name, round(wanted[name] * 100))


def test_requested_and_achieved_stand_in_a_table_with_the_reason(prune):
    recipe = Recipe(channels={"conv1": 0.3}, remove={"conv2": (1, 2)}, weights={"fc": 0.5})
    prune.visit(f"?model=digits-cnn&recipe={recipe.to_url()}").final()
    rows = [
        row.replace("\u200b", "").split("\t") for row in prune.page.locator(".parts tr").all_inner_texts()
    ]
    assert rows[0][:4] == ["Part", "Asked for", "Removed", "Units"]
    assert rows[1:] == [
        ["Channels"],
        ["conv1", "30 %", "31.25 %", "5 of 16", "nearest whole number"],
        ["conv2", "0 %", "6.25 %", "2 of 32", "2 removed by hand"],
        ["Weights"],
        ["fc", "50 %", "50 %", "160 of 320", ""],
    ]


def test_a_fader_says_how_far_its_part_can_go_before_it_is_moved(dense):
    dense.fader("conv2").hover()
    expect(dense.page.locator(".detail")).to_contain_text(
        re.compile(r"Of this part alone, \d+ % (can go|costs)")
    )
    track = dense.fader("conv2").evaluate(
        "track => getComputedStyle(track).getPropertyValue('--sensitivity')"
    )
    assert track.startswith("linear-gradient")


def test_linked_faders_move_together_but_not_a_locked_one(dense):
    dense.fader("conv2").focus()
    dense.page.keyboard.press("l")
    expect(dense.page.get_by_role("button", name="Unlock conv2")).to_be_visible()
    dense.page.get_by_role("button", name="Link").click()
    dense.drag("conv1", 50)
    ratio = dense.comes_to_hold("conv1")
    assert dense.comes_to_hold("conv3") == ratio
    assert "conv2" not in dense.recipe().channels
    dense.page.get_by_role("button", name="Link").click()
    dense.page.get_by_role("button", name="Unlock conv2").click()


def test_a_pattern_makes_switches(prune):
    prune.visit(f"?model=digits-cnn&recipe={Recipe(weights={'conv2': 0.5}, pattern='2:4').to_url()}")
    switch = prune.page.get_by_role("switch", name=re.compile("^Weights: conv2"))
    expect(switch).to_have_attribute("aria-checked", "true")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    refused = prune.page.get_by_role("switch", name=re.compile("^Weights: conv1"))
    expect(refused).to_have_attribute("aria-disabled", "true")
    expect(refused).to_have_attribute(
        "aria-label", re.compile("its 1 input cannot be divided into blocks of 4")
    )


def test_another_model_shows_its_own_faders(prune):
    prune.visit("?model=digits-mlp")
    groups = graph_of(load("digits-mlp")).profile.groups
    assert prune.page.locator(".strip .lower").all_inner_texts() == [label(group.name)[1] for group in groups]


def test_a_shallow_model_has_no_matrix(dense):
    expect(dense.page.get_by_role("button", name="Matrix")).to_have_count(0)


# --------------------------------------------------------------------------- what is sent, what stays

BYTES_OF_A_MOVE = 30_000  # 60 parts; a slow machine takes more looks at the same measurement


class Meter:
    """Counts what the browser receives: messages of the page's socket, and answers without their headers."""

    def __init__(self, page):
        self.bytes, self.last, self._asked = 0, time.monotonic(), set()
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.webSocketFrameReceived", lambda event: self._add(self._length(event["response"])))
        session.on("Network.requestWillBeSent", lambda event: self._asked.add(event["requestId"]))
        session.on("Network.dataReceived", self._received)

    @staticmethod
    def _length(frame: dict) -> int:
        return (
            len(frame["payloadData"]) * 3 // 4 if frame["opcode"] == 2 else len(frame["payloadData"])
        )  # binary comes as base64

    def _received(self, event: dict) -> None:
        if event["requestId"] in self._asked:
            self._add(int(event["dataLength"]))

    def _add(self, count: int) -> None:
        self.bytes, self.last = self.bytes + count, time.monotonic()

    def wait_for_quiet(self, page, seconds: float = 4, most: float = 180) -> None:
        end = time.monotonic() + most
        while time.monotonic() - self.last < seconds:
            assert time.monotonic() < end, f"Still receiving after {most} s."
            page.wait_for_timeout(200)


@pytest.mark.heavy
def test_a_move_among_sixty_faders_sends_little_and_nothing_at_rest(prune):
    recipe = _both("shapes-mobilenet")
    meter = Meter(prune.page)
    prune.visit(f"?model=shapes-mobilenet&recipe={recipe.to_url()}")
    assert 50 <= prune.page.locator(".strip").count() <= 70
    prune.final()
    meter.wait_for_quiet(prune.page)
    meter.bytes = 0
    part = next(iter(recipe.channels))
    prune.fader(part).focus()
    prune.page.keyboard.press("PageUp")
    prune.comes_to({part: 0.2})
    prune.page.wait_for_timeout(1000)
    prune.final()
    meter.wait_for_quiet(prune.page)
    assert 1_000 < meter.bytes < BYTES_OF_A_MOVE


def _both(model: str) -> Recipe:
    """One channel fader and one weights fader moved, so that both banks are shown."""
    profile = graph_of(load(model)).profile
    return Recipe(
        channels={next(iter(profile.free_groups)): 0.1}, weights={next(iter(profile.prunable_layers)): 0.1}
    )


def test_a_zoomed_curve_keeps_its_zoom_and_its_node_through_a_move(prune):
    prune.visit(f"?model=digits-cnn&recipe={Recipe(channels={'conv1': 0.25}).to_url()}").final()
    expect(prune.page.get_by_text("Each point is measured, on all 450 samples")).to_be_visible()
    plot = prune.page.locator(".live-figure .plot")
    plot.scroll_into_view_if_needed()
    box = plot.locator(".nsewdrag").first.bounding_box()
    prune.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.2)
    prune.page.mouse.down()
    prune.page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.7, steps=5)
    prune.page.mouse.up()
    state = "plot => [plot.layout.xaxis.range.map(Number), plot.data.at(-1).x[0]]"
    prune.page.wait_for_function(
        "() => document.querySelector('.live-figure .plot').layout.xaxis.autorange === false"
    )
    zoomed, star = plot.evaluate(state)
    plot.evaluate("plot => { plot.marked = true; }")
    prune.fader("conv2").focus()
    for _ in range(3):
        prune.page.keyboard.press("PageUp")
    prune.page.wait_for_function(
        "before => document.querySelector('.live-figure .plot').data.at(-1).x[0] !== before", arg=star
    )
    assert plot.evaluate(state)[0] == pytest.approx(zoomed)
    assert plot.evaluate("plot => plot.marked === true")


def test_numbers_are_marked_as_older_the_moment_the_hand_lets_go(dense):
    dense.page.evaluate(
        """() => { window.marks = []; const root = document.documentElement;
        new MutationObserver(() => window.marks.push(root.hasAttribute("data-older-numbers")))
          .observe(root, { attributes: true, attributeFilter: ["data-older-numbers"] }); }"""
    )
    dense.fader("conv1").focus()
    dense.page.keyboard.press("PageUp")
    dense.page.wait_for_function("() => window.marks.length >= 2")
    assert dense.page.evaluate("window.marks")[:2] == [True, False]
    assert dense.comes_to_hold("conv1") == 0.1


def test_back_leads_to_the_page_before_and_its_address_names_what_it_shows(dense):
    dense.fader("conv1").focus()
    dense.page.keyboard.press("PageUp")
    dense.comes_to({"conv1": 0.1})
    dense.page.get_by_role("link", name="Structure").click()
    dense.page.wait_for_url("**/structure?**")
    expect(dense.page.locator("h1")).to_have_text(["Structure"])
    dense.page.wait_for_selector(SETTLED)
    dense.page.go_back()
    dense.ready().shows("conv1", 10)
    dense.comes_to({"conv1": 0.1})
    assert dense.page.url.startswith(f"{dense.address}/?")


def test_the_way_from_a_moved_fader_to_recovery_shows_its_figures_empty(dense):
    dense.fader("conv1").focus()
    dense.page.keyboard.press("PageUp")
    dense.comes_to({"conv1": 0.1})
    dense.page.get_by_role("link", name="Recover").click()
    expect(dense.page.get_by_role("button", name="Start", exact=True)).to_be_visible()
    expect(dense.page.locator(".live-figure")).to_have_count(3)
    assert dense.page.locator(".live-figure .plot:visible").count() == 0
