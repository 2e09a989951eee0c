"""Measures what a hand waits for: `python tests/measure_moves.py digits-cnn shapes-resnet`. Needs Chromium
and a quiet machine.

From the release of a fader to the first number of its recipe on screen, and to the last one, in a real
browser; beside them what was received, and where the time to the first number went. `--scan` measures while
another tab scans a model.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, sync_playwright
from take_screenshot import COMMAND, wait_for

from explorer.commands.app import free_port
from explorer.machine import paths
from explorer.values.choice import Choice
from explorer.values.recipe import Recipe

PATIENCE = 300_000  # ms
REST_MS = 1500  # between a last number and the next move
RATIOS = (0.1, 0.7)  # that a fader is moved to
SCANNED = "shapes-resnet"

# Watches one move. `first`: the cards show a number of the new recipe; `final`: one of all samples. A long
# task would hold up the clock as it holds up the screen.
CLOCK = """
const moves = window.moves = { };
const deep = (selector, root = document) => {
  const found = root.querySelector(selector);
  if (found) return found;
  for (const { shadowRoot } of root.querySelectorAll("*")) {
    const inner = shadowRoot && deep(selector, shadowRoot);
    if (inner) return inner;
  }
};
const look = () => {
  if (!moves.cards?.isConnected) moves.cards = deep(".cards");
  const text = (part) => moves.cards?.querySelector(`.card .${part}`)?.textContent ?? "";
  if (!moves.cards || moves.cards.classList.contains("older") || !/^[0-9.]+ %$/.test(text("value"))) return;
  const [, seen, all] = text("notes").match(/([0-9,]+) of ([0-9,]+)/) ?? [];
  if (!seen) return;
  moves.first ??= performance.now() - moves.released;
  if (seen === all) { moves.final = performance.now() - moves.released; clearInterval(moves.timer); }
};
addEventListener("pointerup", () => {
  for (const name of ["first", "final", "sent", "answered"]) delete moves[name];
  moves.released = performance.now();
  clearInterval(moves.timer);
  moves.timer = setInterval(look, 2);
}, true);
const since = (name) => {
  if (moves.released === undefined || moves.first !== undefined) return;
  moves[name] = performance.now() - moves.released;
};
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) {
  if (moves.sent === undefined) since("sent");
  return send.call(this, data);
};
const ask = window.fetch;
window.fetch = async (...given) => { const answer = await ask(...given); since("answered"); return answer; };
"""


@dataclass(frozen=True)
class Move:
    """One move of one fader, in milliseconds from its release, and in bytes that came meanwhile.

    Args:
        sent: the browser sent the edit. answered: the answer with the first number was there.
        first: the first number was on screen. final: so was that of all samples.
    """

    sent: float
    answered: float
    first: float
    final: float
    first_bytes: int
    final_bytes: int


class Received:
    """Counts what a page receives, over its socket and otherwise."""

    def __init__(self, page: Page):
        self.bytes = 0
        client = page.context.new_cdp_session(page)
        client.send("Network.enable")
        client.on("Network.webSocketFrameReceived", self._frame)
        client.on(
            "Network.dataReceived", lambda event: self._add(event["encodedDataLength"] or event["dataLength"])
        )

    def _frame(self, event: dict[str, Any]) -> None:
        content = event["response"]["payloadData"]
        self._add(len(content) * 3 // 4 if event["response"]["opcode"] == 2 else len(content))

    def _add(self, count: int) -> None:
        self.bytes += count


@contextmanager
def served(models: Sequence[str]) -> Iterator[str]:
    """The address of a server with an empty cache."""
    port = free_port("127.0.0.1", None)
    command = [sys.executable, "-c", COMMAND, *models, "--no-browser", "--port", str(port), "--device", "cpu"]
    with tempfile.TemporaryDirectory() as cache:
        server = subprocess.Popen(command, env={**os.environ, paths.CACHE_VARIABLE: cache})
        try:
            wait_for(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(20)


def opened(browser: Browser, address: str, model: str, query: str = "") -> Page:
    """The Prune page of a model, measured and at rest."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.add_init_script(f"(() => {{{CLOCK}}})()")
    page.goto(f"{address}/?model={model}{query}")
    page.get_by_text("Final: measured").first.wait_for(timeout=PATIENCE)
    page.wait_for_timeout(REST_MS)
    return page


def movable(page: Page) -> list[Locator]:
    return [
        fader for fader in page.get_by_role("slider").all() if fader.get_attribute("aria-disabled") != "true"
    ]


def move(page: Page, fader: Locator, ratio: float, received: Received) -> Move:
    """Drag a fader to a ratio and wait for the last number."""
    fader.scroll_into_view_if_needed()
    track, thumb = fader.bounding_box(), fader.locator(".thumb").bounding_box()
    assert track is not None and thumb is not None
    x, height = thumb["x"] + thumb["width"] / 2, thumb["height"]
    page.mouse.move(x, thumb["y"] + height / 2)
    page.mouse.down()
    page.mouse.move(
        x, track["y"] + track["height"] - height / 2 - ratio * (track["height"] - height), steps=4
    )
    before = received.bytes
    page.mouse.up()
    page.wait_for_function("moves.first !== undefined", timeout=PATIENCE)
    first = received.bytes - before
    page.wait_for_function("moves.final !== undefined", timeout=PATIENCE)
    took: dict[str, float] = page.evaluate(
        "({ sent, answered, first, final } = moves, { sent, answered, first, final })"
    )
    page.wait_for_timeout(REST_MS)
    return Move(**took, first_bytes=first, final_bytes=received.bytes - before)


def measured(browser: Browser, address: str, model: str, count: int) -> list[Move]:
    """Moves of faders all over a model, after one that is not counted."""
    page = opened(browser, address, model)
    received, faders, chance = Received(page), movable(page), random.Random(0)
    found = [move(page, chance.choice(faders), chance.uniform(*RATIOS), received) for _ in range(count + 1)]
    page.close()
    return found[1:]


def start_scan(browser: Browser, address: str) -> None:
    """In a tab of its own, by a criterion that the model brings no scan for."""
    page = opened(browser, address, SCANNED, f"&recipe={Recipe(criterion=Choice('l2')).to_url()}")
    page.get_by_role("button", name="Measure the sensitivity of channels").click()
    page.get_by_text("each part alone, about").first.wait_for(timeout=PATIENCE)


def line(model: str, moves: Sequence[Move]) -> str:
    """Medians, and where eight of ten first numbers lie."""
    middle = {
        field.name: statistics.median(getattr(move, field.name) for move in moves) for field in fields(Move)
    }
    first = statistics.quantiles([move.first for move in moves], n=10)
    way = f"sent {middle['sent']:.0f}, answered {middle['answered']:.0f}, shown {middle['first']:.0f}"
    kilobytes = f"{middle['first_bytes'] / 1000:.1f} and {middle['final_bytes'] / 1000:.1f} kB"
    return (
        f"{model}: first number {middle['first']:.0f} ms ({first[0]:.0f} to {first[-1]:.0f}; {way}), "
        f"last {middle['final']:,.0f} ms, {kilobytes}, {len(moves)} moves"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--moves", type=int, default=12)
    parser.add_argument("--scan", action="store_true", help=f"while another tab scans {SCANNED}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every move")
    asked = parser.parse_args()
    everything = {}
    models = dict.fromkeys([*asked.models, *([SCANNED] if asked.scan else [])])
    with served(list(models)) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        if asked.scan:
            start_scan(browser, address)
        for model in asked.models:
            moves = measured(browser, address, model, asked.moves)
            everything[model] = [asdict(move) for move in moves]
            print(line(model, moves), flush=True)
        browser.close()
    if asked.json:
        asked.json.write_text(json.dumps(everything, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
