"""Both models continue a text on the Prune page, again after each change."""

import re

import pytest
import serving

from explorer.engine.continuation import Continuation, Passage, Prompt
from explorer.ui.prune.continuation import difference

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
PATIENCE = 120_000  # ms


class Heard:
    """What the server said of a fader's number and of the texts, in this order: each change of either."""

    def __init__(self):
        self.order, self.recipe, self.count = [], None, 0

    def take(self, response):
        """Note which of the two an answer changed: the number is new with another recipe, and a text is new
        when it is shorter than before.
        """
        told = response.json().get("told", {}) if "explorer-news" in response.url and response.ok else {}
        recipe = told.get("cards", {}).get("value", {}).get("point", {}).get("recipe", self.recipe)
        tokens = told.get("continuation", {}).get("value", {}).get("pruned")
        count = self.count if tokens is None else len(tokens)
        new = [("number", recipe != self.recipe), ("text", 0 < count < self.count)]
        self.order += [name for name, is_new in new if is_new]
        self.recipe, self.count = recipe, count


@pytest.mark.parametrize(
    "dense, pruned, words",
    [
        (("a", "b"), ("a", "b"), "Both write the same 2 tokens."),
        (("a", "b"), ("a", "c"), "The first 1 token is the same."),
        (("a", "b", "c"), ("a", "b"), "The first 2 tokens are the same."),
        (("a",), ("b",), "They differ from the first token on."),
    ],
)
def test_the_difference_in_words(dense, pruned, words):
    sides = (Passage(pieces) for pieces in (dense, pruned))
    assert difference(Continuation(Prompt(""), *sides)) == words


@pytest.fixture
def server(tmp_path):
    """A page with the language model, in place of the one that the tests share."""
    with serving.running(tmp_path, "code-lm") as running:
        yield running


@pytest.mark.browser
@pytest.mark.heavy
def test_a_fader_and_other_random_numbers_write_again_after_the_number(page, served):
    heard = Heard()
    page.on("response", heard.take)
    page.set_default_timeout(PATIENCE)
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(served)
    sides = {name: page.locator(f'.texts section[data-side="{name}"]') for name in ("dense", "pruned")}
    expect(sides["dense"].locator("pre span")).not_to_have_count(0, timeout=PATIENCE)
    expect(sides["pruned"]).to_be_hidden()  # nothing is cut yet, so there is only one text
    tools = page.locator(".st-key-tools [role=tablist]").bounding_box()
    assert tools["y"] + tools["height"] <= 900  # the texts push nothing below the fold

    fader = page.get_by_role("slider", name=re.compile(r"^Channels: layers\.0\.mlp\.gate_proj\."))
    heard.order.clear()
    fader.focus()
    page.keyboard.press("PageUp")
    expect(sides["pruned"].locator("pre span")).not_to_have_count(0, timeout=PATIENCE)
    assert "in the dense model" in sides["pruned"].locator("pre span").first.get_attribute("title")

    status = page.locator(".writing [role=status]")
    expect(status).to_have_text(re.compile("same|differ"), timeout=PATIENCE)
    assert heard.order[:1] == ["number"]
    before = sides["dense"].locator("pre").inner_text()
    page.get_by_role("button", name="Write another").click()
    expect(status).to_have_text(re.compile("Writing"), timeout=PATIENCE)
    expect(status).to_have_text(re.compile("same|differ"), timeout=PATIENCE)
    assert sides["dense"].locator("pre").inner_text() != before
