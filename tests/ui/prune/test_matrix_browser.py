"""The matrix of faders of a deep model, in a real browser: a number for a kind or a block, keys, undo."""

import re
import time

import pytest
import serving

from explorer.values.recipe import Recipe

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
pytestmark = pytest.mark.browser
PATIENCE = 120_000  # ms
GATES = [f"layers.{n}.mlp.gate_proj" for n in range(6)]


@pytest.fixture
def server(tmp_path):
    """A page with the language model, in place of the one that the tests share."""
    with serving.running(tmp_path, "code-lm") as running:
        yield running


def field(page, part: str):
    return page.get_by_label(f"Channels, {part}: per cent removed", exact=True)


def field_of_all(page, name: str):
    return page.get_by_label(f"Channels, {name}: per cent removed of all", exact=True)


def comes_to(page, wanted: dict[str, float]) -> None:
    """The address names this recipe."""
    until, seen = time.monotonic() + PATIENCE / 1000, None
    while time.monotonic() < until:
        address = re.search(r"recipe=([^&]+)", page.url)
        seen = dict(Recipe.from_url(address[1]).channels) if address else {}
        if seen == pytest.approx(wanted):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{wanted} did not arrive in {seen}")


def test_one_number_sets_a_whole_kind_or_block_and_one_undo_takes_it_back(page, served):
    page.set_default_timeout(PATIENCE)
    page.goto(f"{served}/?model=code-lm")
    page.get_by_role("button", name="Matrix").click()
    expect(page.get_by_role("slider", name=re.compile("^Channels: layers"))).to_have_count(0)
    expect(page.get_by_role("slider", name=re.compile("^Channels: embedding\\."))).to_be_visible()
    field(page, GATES[2]).focus()
    page.keyboard.press("l")
    expect(field(page, GATES[2])).not_to_be_editable(timeout=PATIENCE)
    field_of_all(page, "mlp.gate_proj").fill("30")
    page.keyboard.press("Enter")
    kind = {gate: 0.3 for gate in GATES if gate != GATES[2]}
    comes_to(page, kind)
    field(page, GATES[2]).focus()
    page.keyboard.press("ArrowUp")
    expect(field(page, GATES[1])).to_be_focused()
    page.keyboard.press("PageUp")
    one = kind | {GATES[1]: 0.4}
    comes_to(page, one)
    field_of_all(page, "block 0").fill("nonsense")
    page.keyboard.press("Tab")
    expect(field_of_all(page, "block 0")).to_have_value("")
    field_of_all(page, "block 0").fill("50")
    page.keyboard.press("Enter")
    heads = "layers.0.attention.q_proj"
    comes_to(page, one | {heads: 0.5, f"{heads}#queries": 0.5, GATES[0]: 0.5})
    for before in (one, kind, {}):
        page.get_by_role("button", name="Undo").click()
        comes_to(page, before)
    expect(field(page, GATES[0])).to_have_value("0 %")
    page.get_by_role("button", name="Matrix").click()
    expect(page.get_by_role("slider", name=re.compile(f"^Channels: {GATES[0]}"))).to_be_visible()
