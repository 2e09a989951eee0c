"""Kills a process of a study at a random moment, and compares the numbers with those of an undisturbed one.

Twenty times each:  PYTHONPATH=tests python tests/cluster/faults.py --times 20
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import serving

from explorer.machine.paths import CACHE_VARIABLE

STUDY = "scan digits-cnn --exact --granularity weight --ratios 0.02:0.98:0.02 --json".split()
KINDS = ("worker", "scheduler", "client")
WORKERS = 2
LONGEST_S = 600.0


@dataclass
class Machines:
    """A scheduler and its workers, each a process with a cache of its own.

    Args:
        folder: for caches and logs.
    """

    folder: Path
    port: int = field(default_factory=serving.free_port)
    running: dict[str, subprocess.Popen] = field(default_factory=dict)
    begun: int = 0

    def __enter__(self) -> "Machines":
        for name in ("scheduler", *(f"worker {number}" for number in range(WORKERS))):
            self.start(name)
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.running):
            self.kill(name)

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def start(self, name: str) -> None:
        """Start the process of this name, with an empty cache."""
        self.begun += 1
        module, words = "dask_scheduler", ["--host", "127.0.0.1", "--port", str(self.port)]
        if name != "scheduler":
            module, words = "dask_worker", [self.address, "--nthreads", "1", "--no-nanny"]
        command = [sys.executable, "-m", f"distributed.cli.{module}", *words, "--no-dashboard"]
        self.running[name] = self.process(command, self.folder / f"{self.begun} {name}")

    def process(self, command: list[str], home: Path, **how: object) -> subprocess.Popen:
        """Start a command with its cache and its log in a folder."""
        home.mkdir(exist_ok=True)
        environment = {**serving.environment(), CACHE_VARIABLE: str(home)}
        with (home / "log.txt").open("a") as log:
            return subprocess.Popen(command, cwd=home, env=environment, stderr=log, **{"stdout": log, **how})

    def forget(self) -> None:
        """Remove the results that workers have kept, so that the next study is not free."""
        for kept in self.folder.glob("* worker */pieces"):
            shutil.rmtree(kept)

    def kill(self, name: str) -> None:
        """End it as a lost machine ends."""
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def study(self, home: Path) -> subprocess.Popen:
        command = [sys.executable, "-m", "explorer", *STUDY, "--cluster", self.address]
        return self.process(command, home, stdout=subprocess.PIPE)


def points(study: subprocess.Popen) -> dict:
    """The numbers of a study, once it has ended.

    Raises:
        RuntimeError: it failed.
    """
    out, _ = study.communicate(timeout=LONGEST_S)
    if study.returncode:
        raise RuntimeError(f"exit code {study.returncode}")
    found = json.loads(out)
    return {name: found[name] for name in ("baseline", "points", "finished")}


def one_fault(kind: str, moment: float, machines: Machines, home: Path) -> dict:
    """The numbers of a study of which a process is killed at a moment, and replaced.

    Args:
        moment: seconds after the start of the study.
    """
    study = machines.study(home)
    time.sleep(moment)
    if kind == "client":
        study.kill()
        study.communicate()
        return points(machines.study(home))
    workers = [f"worker {number}" for number in range(WORKERS)]
    names = ["scheduler", *workers] if kind == "scheduler" else [random.choice(workers)]
    machines.kill(names[0])
    for name in names[1:]:  # they end by themselves once their scheduler has gone
        machines.kill(name)
    for name in names:
        machines.start(name)
    return points(study)


def main(times: int, seed: int, kinds: list[str]) -> int:
    """Run all faults and print a line for each; return how many ended otherwise than undisturbed."""
    random.seed(seed)
    wrong = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        machines = stack.enter_context(Machines(folder))
        began = time.monotonic()
        expected = points(machines.study(folder / "undisturbed"))
        usual = time.monotonic() - began
        print(f"undisturbed: {len(expected['points'])} points in {usual:.1f} s")
        for kind in kinds:
            for number in range(times):
                moment, began = random.uniform(0, usual), time.monotonic()
                machines.forget()
                try:
                    found = one_fault(kind, moment, machines, folder / f"{kind} {number}")
                    said = "equal" if found == expected else "OTHER NUMBERS"
                except (RuntimeError, subprocess.TimeoutExpired) as error:
                    said = f"FAILED: {error}: {(folder / f'{kind} {number}' / 'log.txt').read_text()[-300:]}"
                wrong += said != "equal"
                print(
                    f"{kind} killed after {moment:.1f} s: {said}, {time.monotonic() - began:.1f} s",
                    flush=True,
                )
    print(f"{wrong} of {times * len(kinds)} ended otherwise")
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kill", choices=KINDS, action="append")
    given = parser.parse_args()
    sys.exit(bool(main(given.times, given.seed, given.kill or list(KINDS))))
