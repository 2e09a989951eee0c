"""Measures how long a page takes to open: `python tests/measure_pages.py digits-cnn shapes-resnet`. Needs
Chromium and a quiet machine.

From the click in the menu until the page has its head and its content, without a placeholder of what is still
to come, and all that lies in the window stays where it is; beside it the processor time that the server took
to draw it. The first page of a session is opened before, so that scripts and model are there.
"""

import argparse
import json
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import serving
from pictures import all_pages
from playwright.sync_api import Page, sync_playwright

from explorer.values.recipe import Recipe

PATIENCE_MS, REST_MS = 120_000, 3_000
SIZE = {"width": 1400, "height": 900}
LIMIT_MS = 1000
FIRST, OTHER = "prune", "guide"  # the page that is open before, and before that page itself
# of a model's smallest parts: a recipe, so that no page is empty
RATIOS = {"digits-cnn": {"conv2": 0.25}, "shapes-resnet": {"layer3.0.conv1": 0.4}}
# A page is there when its name is, nothing is a placeholder, and what is in the window was still for a while.
STILL_MS = 120
OPENED = """([name, still]) => new Promise((done) => {
  const link = [...document.querySelectorAll("[data-testid=stSidebarNavLink]")]
    .find((one) => one.textContent.trim().endsWith(name));
  const start = performance.now();
  let last = "", since = start;
  const waits = () => document.querySelector("h1")?.textContent !== name
    || [...document.querySelectorAll("[data-testid=stSkeleton]")].some((one) => one.offsetHeight)
    || document.querySelector("[data-stale=true]")
    || !document.querySelector(".stMainBlockContainer :is(p, button, table, .room > *)");
  const places = () => JSON.stringify([...document.querySelectorAll(
    ".stMainBlockContainer [data-testid=stVerticalBlock] > *")].map((one) => one.getBoundingClientRect())
    .filter(({ top, height }) => height && top < innerHeight).map(({ top }) => Math.round(top)));
  const look = () => {
    const now = performance.now(), found = waits() ? "" : places();
    if (found !== last) { last = found; since = now; }
    if (found && now - since >= still) { done(since - start); return; }
    setTimeout(look, 10);
  };
  link.click();
  look();
})"""
# the server writes down the processor time of each run of a page
COUNTED = """
import sys, time
from streamlit.runtime.scriptrunner import script_runner
plain = script_runner.ScriptRunner._run_script
def counted(self, *given):
    start = time.thread_time()
    plain(self, *given)
    print(f"RUN {1000 * (time.thread_time() - start):.1f}", flush=True)
script_runner.ScriptRunner._run_script = counted
"""


@dataclass(frozen=True)
class Opening:
    """One page that was opened.

    Args:
        shown_ms: from the click until it was laid out. server_ms: processor time of its runs until then.
    """

    page: str
    shown_ms: float
    server_ms: float


class Runs:
    """The processor time of runs in a server's log."""

    def __init__(self, log: Path):
        self._log, self._seen = log, 0

    def new(self) -> float:
        """Milliseconds since the last look."""
        lines = self._log.read_text(encoding="utf-8").splitlines()
        found, self._seen = lines[self._seen :], len(lines)
        return sum(float(line.split()[1]) for line in found if line.startswith("RUN "))


def address(server: str, model: str) -> str:
    """Where the first page shows a model with a recipe, if one is known of it."""
    ratios = RATIOS.get(model)
    return f"{server}/?model={model}" + (f"&recipe={Recipe(channels=ratios).to_url()}" if ratios else "")


def opened(page: Page, runs: Runs, name: str) -> Opening:
    """Open a page from the menu, once the one before rests."""
    page.wait_for_timeout(REST_MS)
    runs.new()
    shown = page.evaluate(OPENED, [name.capitalize(), STILL_MS])
    return Opening(name, shown, runs.new())


def measured(page: Page, server: serving.Server, model: str, rounds: int) -> Iterator[Opening]:
    """All pages in turn, so many times."""
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address(server.url, model))
    page.get_by_text("Final: measured").first.wait_for(timeout=PATIENCE_MS)
    runs = Runs(server.log)
    for _ in range(rounds):
        for name in all_pages():
            opened(page, runs, OTHER if name == FIRST else FIRST)
            yield opened(page, runs, name)


def line(name: str, found: Sequence[Opening]) -> str:
    """Medians of one page."""
    shown, server = (statistics.median(getattr(one, field) for one in found) for field in COLUMNS)
    late = "  more than a second" if shown > LIMIT_MS else ""
    return f"  {name:10} {shown:5.0f} ms, of it {server:4.0f} ms of the server's processor{late}"


COLUMNS = ("shown_ms", "server_ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every opening")
    asked = parser.parse_args()
    everything = {}
    with tempfile.TemporaryDirectory() as room, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with serving.running(Path(room), *asked.models, before=COUNTED) as server:
            for model in asked.models:
                page = browser.new_context(reduced_motion="reduce", viewport=SIZE).new_page()  # type: ignore[arg-type]
                found = list(measured(page, server, model, asked.rounds))
                everything[model] = [asdict(one) for one in found]
                print(f"{model}, medians of {asked.rounds}:")
                for name in all_pages():
                    print(line(name, [one for one in found if one.page == name]), flush=True)
                page.context.close()
        browser.close()
    if asked.json:
        asked.json.write_text(json.dumps(everything, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
