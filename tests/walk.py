"""A seeded random user of the page: `python tests/walk.py --walk 30m --seed 7`. Needs Chromium.

Presses whatever is there, at random pauses: menu, buttons, faders by key and drag, selects, tabs, back,
reload, a second tab, another model, a narrow window. After each step nothing may have gone wrong
(`signs.py`), and the numbers of a page at rest have to be those of the recipe in its address
(`walk_numbers.py`). A path that fails is made as short as it gets, and printed as JSON, which `--replay` does
again.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import serving
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright
from signs import Signs
from walk_controls import HOW, Control, Step, controls, named, use
from walk_numbers import RESTS, seen, wrong

MODELS = ("digits-cnn", "digits-mlp")
PAUSES = (0.0, 0.0, 0.0, 0.05, 0.2, 0.5, 1.0, 3.0)
SIZES = ((1400, 1000), (420, 900), (800, 700), (1920, 1080))
# how often a kind of control is chosen, where it is there; others: 1
OFTEN = {"fader": 6, "menu": 4, "button": 4, "select": 3, "radio": 2, "toggle": 2, "option": 3, "zoom": 0.5}
BROWSER = {
    "back": 1,
    "forward": 0.5,
    "reload": 0.7,
    "new tab": 0.4,
    "other tab": 0.7,
    "close tab": 0.4,
    "size": 0.5,
    "escape": 1,
    "link": 0.5,
    "rest": 0.7,
}
MOST_TABS = 3
SETTLE_S, STUCK_S, WRONG_S = 10.0, 120.0, 6.0


class FaultError(Exception):
    """A step after which something was wrong."""


@dataclass
class Walker:
    """A user with a browser of its own.

    Args:
        context: of the browser, with nothing in it yet.
        address: of the server; models: that it offers.
        steps: done so far; missed: those whose control went away under the hand.
        tries: how often a hand reaches for a control before it is missed: once at random, more often on a
            path that a test has laid out.
    """

    context: BrowserContext
    address: str
    models: Sequence[str]
    signs: Signs
    steps: list[Step] = field(default_factory=list)
    missed: int = 0
    tries: int = 1

    def start(self) -> None:
        self.context.set_default_timeout(30_000)
        self.page: Page = self.context.new_page()
        self.signs.watch(self.context)
        self._open(self.page, f"/?model={self.models[0]}")

    def _open(self, page: Page, path: str) -> None:
        page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})
        page.goto(f"{self.address}{path}", wait_until="commit")
        page.wait_for_selector("input[aria-label=Model]", state="attached", timeout=90_000)
        page.wait_for_selector(f"[data-testid=stApp][data-test-script-state={RESTS}]", timeout=90_000)

    # ------------------------------------------------------------------ one step

    def choose(self, chance: random.Random) -> Step:
        """Something to do with what is there."""
        return chosen(chance, controls(self.page), self.models)

    def do(self, step: Step) -> None:
        """Do a step, and look for what it did.

        Raises:
            FaultError: something went wrong.
        """
        self.steps.append(step)
        try:
            if step.kind in BROWSER:
                self._browse(step)
            else:
                self.missed += not any(self._used(step) for _ in range(self.tries))
        except Error as error:
            if "ERR_ABORTED" not in str(error) and "context was destroyed" not in str(error):
                raise
        self.page.wait_for_timeout(1000 * step.pause)
        self.check()

    def _used(self, step: Step) -> bool:
        control = named(self.page, step)
        if control is not None and use(self.page, control, step.how):
            return True
        self.page.wait_for_timeout(200)
        return False

    def _browse(self, step: Step) -> None:
        pages = self.context.pages
        if step.kind == "back":
            self.page.go_back(wait_until="commit")
        elif step.kind == "forward":
            self.page.go_forward(wait_until="commit")
        elif step.kind == "reload":
            self.page.reload(wait_until="commit")
        elif step.kind == "link":
            self._open(self.page, f"/?model={step.how}")
        elif step.kind == "escape":
            self.page.keyboard.press("Escape")
        elif step.kind == "size":
            width, height = SIZES[int(step.how) % len(SIZES)]
            self.page.set_viewport_size({"width": width, "height": height})
        elif step.kind == "new tab" and len(pages) < MOST_TABS:
            url = self.page.url
            self.page = self.context.new_page()
            self._open(self.page, url.removeprefix(self.address))
        elif step.kind == "other tab":
            self.page = pages[int(step.how) % len(pages)]
            self.page.bring_to_front()
        elif step.kind == "close tab" and len(pages) > 1:
            self.page.close()
            self.page = self.context.pages[-1]
        elif step.kind == "rest":
            self.settle(SETTLE_S)
        if not self.page.url.startswith(self.address):  # back from the first page
            self._open(self.page, f"/?model={self.models[0]}")

    # ------------------------------------------------------------------ what must hold

    def check(self) -> None:
        """
        Raises:
            FaultError: there is a sign, or a number that is not of the recipe.
        """
        found = self.signs.look()
        if found:
            self.signs.lines = []
            raise FaultError("\n".join(found))
        self._check_numbers()

    def _check_numbers(self) -> None:
        until = time.monotonic() + WRONG_S
        while said := self._wrong():  # an edit on its way is not in the address yet
            if time.monotonic() > until:
                raise FaultError("\n".join(said))
            self.page.wait_for_timeout(200)

    def _wrong(self) -> list[str]:
        try:
            return wrong(seen(self.page))
        except Error:  # the page is being left
            return []

    def settle(self, seconds: float) -> None:
        """Wait until the page says its last number, or at least rests.

        Raises:
            FaultError: it goes on running, or its numbers stay those of an older recipe.
        """
        end, stuck = time.monotonic() + seconds, time.monotonic() + STUCK_S
        while time.monotonic() < stuck:
            now = seen(self.page)
            if (
                now.state == RESTS
                and not now.older
                and (time.monotonic() > end or now.is_final or not now.words)
            ):
                return
            self.page.wait_for_timeout(100)
        raise FaultError(f"The page did not come to rest within {STUCK_S:g} s: {now}")


# --------------------------------------------------------------------------- paths


def chosen(chance: random.Random, there: Sequence[Control], models: Sequence[str]) -> Step:
    """One of the controls that are there and how to use it, or something to do to the browser."""
    kinds = {kind: OFTEN.get(kind, 1.0) for kind in sorted({control.kind for control in there})}
    weights = {**kinds, **BROWSER}
    kind = chance.choices(list(weights), list(weights.values()))[0]
    pause = chance.choice(PAUSES)
    if kind == "link":
        return Step(kind, how=chance.choice(models), pause=pause)
    if kind in BROWSER:
        return Step(kind, how=str(chance.randrange(12)), pause=pause)
    control = chance.choice([control for control in there if control.kind == kind])
    return Step(kind, control.name, control.place, HOW.get(kind, _nothing)(chance, control), pause)


def _nothing(chance: random.Random, control: Control) -> str:
    return ""


def walk(
    walker: Walker,
    seed: int,
    seconds: float,
    say: Callable[[str], object] = lambda line: None,
    *,
    fewest: int = 0,
) -> None:
    """Walk at random for a while, and longer where a slow machine has not come to the fewest steps.

    Raises:
        FaultError: at the first step after which something is wrong.
    """
    chance, end = random.Random(seed), time.monotonic() + seconds
    while time.monotonic() < end or len(walker.steps) < fewest:
        step = walker.choose(chance)
        say(str(step))
        walker.do(step)
    walker.settle(SETTLE_S)
    walker.check()


def failing(walker: Walker, steps: Sequence[Step]) -> str | None:
    """What goes wrong on a path, or None."""
    try:
        walker.start()
        for step in steps:
            walker.do(step)
        walker.page.wait_for_timeout(1000)
        walker.check()
    except FaultError as fault:
        return str(fault)
    return None


def shrunk(steps: Sequence[Step], fails: Callable[[Sequence[Step]], bool], seconds: float) -> list[Step]:
    """A shorter path that still fails, by leaving out ever smaller pieces (Zeller's ddmin), within a time."""
    left, pieces, end = list(steps), 2, time.monotonic() + seconds
    while len(left) > 1 and time.monotonic() < end:
        size = max(1, len(left) // pieces)
        for start in range(0, len(left), size):
            shorter = left[:start] + left[start + size :]
            if shorter and time.monotonic() < end and fails(shorter):
                left, pieces = shorter, max(2, pieces - 1)
                break
        else:
            if size == 1:
                break
            pieces = min(len(left), pieces * 2)
    return left


@contextmanager
def walker_of(browser: Browser, server: serving.Server, models: Sequence[str]) -> Iterator[Walker]:
    """A user with a fresh browser."""
    context = browser.new_context(accept_downloads=True, reduced_motion="reduce")
    try:
        yield Walker(context, server.url, models, Signs(server.url, server.log))
    finally:
        context.close()


@contextmanager
def served(models: Sequence[str]) -> Iterator[serving.Server]:
    """A server with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        with serving.running(Path(folder), *models) as server:
            yield server


@dataclass(frozen=True)
class Outcome:
    """Of one walk: how far it came, and what went wrong, with the path."""

    seed: int
    steps: int
    missed: int
    fault: str | None = None
    path: tuple[Step, ...] = ()


def walked(browser: Browser, models: Sequence[str], seed: int, seconds: float, say: Any) -> Outcome:
    """One walk on a server of its own."""
    with served(models) as server, walker_of(browser, server, models) as walker:
        try:
            walker.start()
            walk(walker, seed, seconds, say)
        except FaultError as fault:
            return Outcome(seed, len(walker.steps), walker.missed, str(fault), tuple(walker.steps))
        return Outcome(seed, len(walker.steps), walker.missed)


def again(browser: Browser, models: Sequence[str], steps: Sequence[Step]) -> str | None:
    """What goes wrong on a path, on a server of its own."""
    with served(models) as server, walker_of(browser, server, models) as walker:
        return failing(walker, steps)


def seconds_of(text: str) -> float:
    """A time such as 60, 90s, 30m or 2h in seconds."""
    factor = {"s": 1, "m": 60, "h": 3600}.get(text[-1:], 0)
    return float(text[:-1]) * factor if factor else float(text)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--walk", type=seconds_of, default=60.0, metavar="TIME", help="60, 90s, 30m or 2h")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--leg", type=seconds_of, default=300.0, metavar="TIME", help="until the next seed")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument(
        "--shrink", type=seconds_of, default=600.0, metavar="TIME", help="to shorten a failing path"
    )
    parser.add_argument("--replay", type=Path, metavar="FILE", help="do a path again")
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="write failing paths here")
    parser.add_argument("--verbose", action="store_true")
    asked = parser.parse_args()
    say = print if asked.verbose else lambda line: None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        if asked.replay:
            path = [Step(**step) for step in json.loads(asked.replay.read_text())]
            print(again(browser, asked.models, path) or "Nothing went wrong.")
            return 0
        return _walks(browser, asked, say)


def _walks(browser: Browser, asked: argparse.Namespace, say: Any) -> int:
    seed, steps, missed, end, faults = asked.seed, 0, 0, time.monotonic() + asked.walk, 0
    while (left := end - time.monotonic()) > 1:
        outcome = walked(browser, asked.models, seed, min(left, asked.leg), say)
        steps, missed, seed = steps + outcome.steps, missed + outcome.missed, seed + 1
        print(
            f"seed {outcome.seed}: {outcome.steps} steps, {'a fault' if outcome.fault else 'no fault'}",
            flush=True,
        )
        if outcome.fault:
            faults += 1
            _tell(browser, asked, outcome)
    print(f"{steps} steps ({missed} missed), {faults} faults, seeds {asked.seed} to {seed - 1}.")
    return min(faults, 1)


def _tell(browser: Browser, asked: argparse.Namespace, outcome: Outcome) -> None:
    print(outcome.fault, "\n  after", *outcome.path[-4:], sep="\n  ")
    if not asked.shrink:
        return
    path = shrunk(outcome.path, lambda steps: again(browser, asked.models, steps) is not None, asked.shrink)
    print(f"{len(outcome.path)} steps, shortened to {len(path)}:")
    print(json.dumps([step.to_json() for step in path], indent=1), flush=True)
    if asked.save:
        asked.save.mkdir(parents=True, exist_ok=True)
        for name, steps in (("whole", outcome.path), ("short", path)):
            target = asked.save / f"seed-{outcome.seed}-{name}.json"
            target.write_text(json.dumps([step.to_json() for step in steps], indent=1))


if __name__ == "__main__":
    sys.exit(main())
