"""Many people at once, with real sessions: each moves a fader, waits for its own number, and checks it.

A class of thirty, 150 moves each:  PYTHONPATH=tests python tests/load/crowd.py --sessions 30 --moves 150
The same while somebody scans and recovers:  ... --beside
"""

import argparse
import itertools
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import serving
from load.kills import RECOVERY, SCAN, follow, working
from protocol import Tab

from explorer.engine.candidate import prepare
from explorer.graph.analysed import Analysed, analyse
from explorer.loaders.model_text import load
from explorer.values.choice import Choice
from explorer.values.recipe import Recipe

LATEST_S = 120.0  # a number that has not come by then is lost
LOOK_S = 0.5


@dataclass
class CrowdResult:
    """What all sessions together have seen.

    Args:
        seconds: from each move to its first number.
        foreign: numbers that were not those of the session's own recipe.
        failed: what went wrong, one sentence each.
        resident: bytes of the server, once a second.
    """

    seconds: list[float] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)

    @property
    def p95(self) -> float:
        """Seconds within which 95 of 100 first numbers came."""
        return statistics.quantiles(self.seconds, n=20)[-1]

    @property
    def growth(self) -> float:
        """How much larger the server was at the end than after a fifth of the time, as a fraction."""
        early = self.resident[len(self.resident) // 5]
        return self.resident[-1] / early - 1

    def __str__(self) -> str:
        return (
            f"{len(self.seconds):,} first numbers, median {statistics.median(self.seconds):.2f} s, "
            f"95 % within {self.p95:.2f} s; {len(self.foreign)} of another recipe, "
            f"{len(self.failed)} failures; "
            f"memory {max(self.resident) / 2**20:,.0f} MiB, {self.growth:+.1%} after the first fifth"
        )


def change_of(model: Analysed, recipe: Recipe) -> str:
    """What the card of parameters has to say of a recipe, counted here and not by the server."""
    before, after = (prepare(model, r).static.params for r in (Recipe(), recipe))
    return f"{100 * (after / before - 1):.1f} %"


def difference(shown: dict, expected: str) -> str | None:
    """What is wrong with the cards of a session, or None."""
    found = shown.get("Parameters", {}).get("change")
    return None if found == expected else f"shown are parameters {found}, expected {expected}"


def crowd(server: serving.Server, name: str, *, sessions: int, moves: int, every: float) -> CrowdResult:
    """Let so many people move faders of a model at once, each so many times and not more often than every few
    seconds: on a slow machine the same numbers come, later.
    """
    model, result = analyse(load(name)), CrowdResult()
    parts = list(model.profile.free_groups)

    def person(seed: int) -> None:
        chance, ratios = random.Random(seed), dict[str, float]()
        try:
            with Tab(server, f"model={name}", patience=LATEST_S) as tab:
                tab.open()
                for move in range(1, moves + 1):
                    began = time.monotonic()
                    # a ratio of its own, so that a number of somebody else differs
                    moved = {chance.choice(parts): round(chance.uniform(0.1, 0.8), 2)}
                    ratios |= moved
                    tab.move(channels=moved)
                    result.seconds.append(tab.first_number(move))
                    wrong = difference(tab.shown("cards"), change_of(model, Recipe(channels=ratios)))
                    result.foreign.extend([f"session {seed}, {ratios}: {wrong}"] if wrong else [])
                    time.sleep(max(0.0, every - (time.monotonic() - began)))
                result.failed.extend(tab.errors)
        except Exception as error:  # one person's failure is a result, and the others go on
            result.failed.append(f"session {seed}: {type(error).__name__}: {error}")

    people = [threading.Thread(target=person, args=(seed,)) for seed in range(sessions)]
    for one in people:
        one.start()
    while any(one.is_alive() for one in people):
        result.resident.append(resident(server))
        people[0].join(1.0)
    return result


@contextmanager
def studies(server: serving.Server, name: str) -> Iterator[list[int]]:
    """Beside everybody, somebody scans and recovers, one recipe after the other; how many were finished so
    far.
    """
    part = next(iter(analyse(load(name)).profile.free_groups))
    finished, over = [0], threading.Event()

    def study() -> None:
        for turn in itertools.count():
            # no scan comes with this criterion, and each recipe is recovered anew
            recipe = Recipe(channels={part: 0.2 + turn % 50 / 100}, criterion=Choice("l2"))
            with working(server, name, recipe, (SCAN, RECOVERY)) as tabs:
                stops = [(tab, stop) for tab, (*_, stop) in zip(tabs, (SCAN, RECOVERY), strict=True)]
                while any(stop in tab.buttons for tab, stop in stops):
                    if over.wait(LOOK_S):
                        return
                    for tab in tabs:
                        follow(tab)
            finished[0] += 1

    thread = threading.Thread(target=study)
    thread.start()
    try:
        yield finished
    finally:
        over.set()
        thread.join()


def resident(server: serving.Server) -> int:
    """Bytes of the server, as it says itself."""
    lines = server.ask("GET", "/metrics").body.decode().splitlines()
    return int(float(next(line.split()[-1] for line in lines if line.startswith("explorer_memory_bytes "))))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="digits-cnn")
    parser.add_argument("--sessions", type=int, default=30)
    parser.add_argument("--moves", type=int, default=150)
    parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS")
    parser.add_argument("--beside", action="store_true", help="scans and recoveries run meanwhile")
    given = parser.parse_args()
    with serving.running(Path(tempfile.mkdtemp()), given.model) as running, ExitStack() as stack:
        beside = stack.enter_context(studies(running, given.model)) if given.beside else []
        moved = crowd(running, given.model, sessions=given.sessions, moves=given.moves, every=given.every)
        if beside:
            print(f"{beside[0]} scans with recoveries were finished meanwhile")
        print("MiB every 30 s:", *(f"{held / 2**20:,.0f}" for held in moved.resident[::30]))
        print(moved, *moved.foreign[:10], *moved.failed[:10], sep="\n", flush=True)
