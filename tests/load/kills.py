"""Kills the server within a scan, a recovery and an export, starts it again, and compares the results.

Twenty times:  PYTHONPATH=tests python tests/load/kills.py --times 20
With processes of its own:  PYTHONPATH=tests python tests/load/kills.py --times 3 --cluster local:2
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import serving
import torch
from protocol import Tab
from safetensors.torch import load_file

from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.graph.analysed import Analysed, analyse
from explorer.loaders.model_text import load
from explorer.machine import paths
from explorer.machine.held_file import hold_if_free
from explorer.runs.store import Store
from explorer.studies.sensitivity.scan import known
from explorer.studies.sensitivity.values import ScanPlan
from explorer.values.choice import Choice
from explorer.values.recipe import Recipe

MODEL = "digits-mlp"
# with this criterion no scan comes with the model
RECIPE = Recipe(channels={"hidden1": 0.5}, criterion=Choice("l2"))
PLAN = ScanPlan("channel", recipe=RECIPE)
PATIENCE_S = 600.0  # on a machine with neighbours
GONE_S = 10.0  # until no process of a killed server is left
RESULT = "result.safetensors"
Begun = tuple[str, str, str]  # page, the button that starts a piece of work, the one that stops it
SCAN, RECOVERY = ("", "scan channels", "stop scan"), ("recover", "start recovery", "stop recovery")
BEGUN = (SCAN, RECOVERY, ("", "write", "stop export"))
PRESSES, LOOKS = 4, 3
LATEST_S = 20.0  # after the work began, a server is killed at the latest


@dataclass(frozen=True)
class Results:
    """What a server has measured: the points of the scan, and the recovered weights."""

    points: tuple
    weights: dict[str, torch.Tensor]

    def difference(self, other: "Results") -> str:
        """What differs, in words; "" if nothing does."""
        if self.points != other.points:
            return "other points of the scan"
        same = self.weights.keys() == other.weights.keys() and all(
            torch.equal(tensor, other.weights[name]) for name, tensor in self.weights.items()
        )
        return "" if same else "other weights of the recovery"


class Home:
    """A cache folder, and the server that uses it."""

    def __init__(self, folder: Path, words: list[str]):
        self.folder, self._words, self._count = folder, words, 0
        folder.mkdir()

    @contextmanager
    def served(self) -> Iterator[serving.Server]:
        """A server, killed at the end as by the system: nothing of it runs after that."""
        self._count += 1
        place, port = self.folder.with_name(f"{self.folder.name} server {self._count}"), serving.free_port()
        place.mkdir()
        command = [sys.executable, "-m", "explorer", MODEL, "--port", str(port), "--no-browser", *self._words]
        variables = {paths.CACHE_VARIABLE: str(self.folder)}
        with serving.started(place, command, port, place / "outward.txt", variables=variables) as server:
            try:
                yield server
            finally:
                server.process.kill()
                server.process.wait()

    def processes(self) -> list[int]:
        """The processes that use this folder, but this one."""
        mark, users = f"{paths.CACHE_VARIABLE}={self.folder}".encode(), []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (place / "environ").read_bytes().split(b"\0"):
                    users.append(int(place.name))
            except OSError:
                continue
        return users

    def orphans(self) -> list[int]:
        """Processes that are left some seconds after the server was killed."""
        end = time.monotonic() + GONE_S
        while (left := self.processes()) and time.monotonic() < end:
            time.sleep(0.1)
        return left

    def stale_locks(self) -> list[str]:
        """Files that are still held."""
        held = []
        for path in self.folder.rglob("*.lock"):
            file = hold_if_free(path)
            if file is None:
                held.append(path.name)
            else:
                file.close()
        return held

    def results(self, model: Analysed) -> Results | None:
        """What is measured so far; None until all of it is."""
        found = known(model, PLAN, Conditions(device="cpu"), folder=self.folder / "scans")
        files = list(self.folder.glob(f"recoveries/*/{RESULT}"))
        if found is None or not found.finished or len(files) != 1:
            return None
        return Results(found.points, load_file(files[0]))

    def clear(self) -> None:
        """Remove what was measured, but no kept run."""
        for name in ("scans", "recoveries", "pieces"):
            shutil.rmtree(self.folder / name, ignore_errors=True)


def follow(tab: Tab) -> None:
    """Ask for news, and let the page draw where they say so, as a browser does."""
    if tab.ask()["draw"]:
        tab.run(page=tab.shown_page)


def begin(tab: Tab, start: str, stop: str) -> None:
    """Press a button until the one that stops the work is there: a page may be drawn anew meanwhile, and then
    the press is lost. Work that has ended, before the kill or at once, has neither button.
    """
    for _ in range(PRESSES):
        if start in tab.buttons:
            tab.press(start)
        for _ in range(LOOKS):
            if stop in tab.buttons:
                return
            follow(tab)
        tab.run(page=tab.shown_page)


@contextmanager
def working(
    server: serving.Server, model: str = MODEL, recipe: Recipe = RECIPE, begun: Sequence[Begun] = BEGUN
) -> Iterator[list[Tab]]:
    """A scan, a recovery and an export that were begun in three tabs, or others that are named."""
    query = f"model={model}&recipe={recipe.to_url()}"
    with ExitStack() as stack:
        tabs = []
        for page, start, stop in begun:
            tab = stack.enter_context(Tab(server, query, patience=PATIENCE_S))
            tab.open(page)
            begin(tab, start, stop)
            tabs.append(tab)
        yield tabs


def finished(home: Home, server: serving.Server, model: Analysed) -> Results:
    """The results once a server has all of them.

    Raises:
        TimeoutError: they do not come.
    """
    with working(server) as tabs:
        end = time.monotonic() + PATIENCE_S
        while (ended := home.results(model)) is None:
            if time.monotonic() > end:
                raise TimeoutError(f"no results within {PATIENCE_S:g} s")
            for tab in tabs:
                follow(tab)
        errors = [error for tab in tabs for error in tab.errors]
        if errors:
            raise RuntimeError(errors[0])
        return ended


def main(times: int, seed: int, words: list[str]) -> int:
    """Print a line for each kill; return how many ended otherwise than undisturbed."""
    random.seed(seed)
    torch.set_num_threads(1)
    model, wrong = analyse(load(MODEL)), 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        home = Home(Path(place) / "cache", words)
        report = prune(model, RECIPE, Conditions(200, latency=False))
        run = Store(home.folder).put(replace(report, notes=()), note="kept before")
        with home.served() as server:
            began = time.monotonic()
            expected = finished(home, server, model)
            usual = time.monotonic() - began
        print(f"undisturbed: {len(expected.points)} points and a recovery in {usual:.1f} s", flush=True)
        for number in range(times):
            home.clear()
            moment, began = random.uniform(0, min(usual, LATEST_S)), time.monotonic()
            with home.served() as server, working(server):
                time.sleep(moment)
                server.process.kill()
                server.process.wait()
            problems = [f"{len(left)} processes left"] if (left := home.orphans()) else []
            problems += [f"{name} is held" for name in home.stale_locks()]
            with home.served() as server:
                difference = finished(home, server, model).difference(expected)
            kept = Store(home.folder).run(run)
            problems += [difference] if difference else []
            problems += [] if kept is not None and kept.note == "kept before" else ["the kept run is lost"]
            problems += [f"{path.name} is damaged" for path in damaged(home.folder)]
            wrong += bool(problems)
            said = ", ".join(problems) or "equal"
            print(
                f"{number + 1}: killed after {moment:.1f} s: {said}, {time.monotonic() - began:.1f} s",
                flush=True,
            )
    print(f"{wrong} of {times} ended otherwise")
    return wrong


def damaged(folder: Path) -> list[Path]:
    """Files of JSON in a folder that are not whole."""
    results = []
    for path in folder.rglob("*.json"):
        try:
            json.loads(path.read_bytes())
        except ValueError:
            results.append(path)
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cluster", metavar="WHERE")
    given = parser.parse_args()
    sys.exit(bool(main(given.times, given.seed, ["--cluster", given.cluster] if given.cluster else [])))
