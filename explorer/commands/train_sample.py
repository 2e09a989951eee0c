"""Train a sample model again, exactly as it was trained, or measure its sensitivity scans."""

import argparse
import time
from pathlib import Path

from ..engine.conditions import Conditions
from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..graph.export import graph_of
from ..loaders.sample import sample
from ..registry import SAMPLES
from ..studies.sensitivity.scan import scan
from ..studies.sensitivity.scan_run import log_of
from ..studies.sensitivity.shipped_scans import deliver
from ..studies.sensitivity.values import ScanPlan
from ..training.samples import train_sample
from ..training.steps import TrainingStep
from ..values.granularity import GRADED
from .arguments.model import set_up
from .printing.output import note

EVERY = 10.0  # seconds between lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the sample (see 'pruning-explorer models')")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of weights, order and augmentation (default: 0)"
    )
    parser.add_argument(
        "--out", metavar="FOLDER", help="write weights/ and cards/ here (default: the program's own folder)"
    )
    told = (
        "do not train: measure the sensitivity of its channels and weights, which colours its faders from "
        "the start"
    )
    parser.add_argument("--sensitivity", action="store_true", help=told)


def run(arguments: argparse.Namespace) -> None:
    """Train, with a line on stderr from time to time.

    Raises:
        ExplorerError: no such sample, or the folder cannot be written.
    """
    set_up()
    out = Path(arguments.out) if arguments.out else None
    try:
        if arguments.sensitivity:
            _scan(arguments.name, out)
        else:
            _train(arguments.name, arguments.seed, out)
    except OSError as error:
        raise ExplorerError(
            f"The result cannot be written ({error.strerror}); choose a folder with --out."
        ) from error


def _train(name: str, seed: int, out: Path | None) -> None:
    shown = -EVERY
    for step in train_sample(name, seed=seed, out=out):
        if time.monotonic() - shown >= EVERY or step.step == step.steps:
            shown = time.monotonic()
            note(_line(step))
    note(f"Trained {name} ({SAMPLES[name].tooltip})")


def _line(step: TrainingStep) -> str:
    left = step.seconds / step.step * (step.steps - step.step)
    right = "" if step.accuracy is None else f"{step.accuracy:.1%} right on training samples, "
    return (
        f"epoch {step.epoch} of {step.epochs}, step {step.step:,} of {step.steps:,}: loss {step.loss:.3f}, "
        f"{right}{left:.0f} s left"
    )


def _scan(name: str, out: Path | None) -> None:
    """Run both scans of a sample, continuing where they were stopped, and save their counts next to its
    weights.
    """
    subject, conditions = sample(name), Conditions()
    graph = graph_of(subject)
    for plan in map(ScanPlan, GRADED):
        for _ in scan(Analysed(subject, graph), plan, conditions):
            pass
        path = deliver(subject, plan, log_of(subject, plan, conditions.device, None), out)
        note(f"Wrote {path.name} ({path.stat().st_size:,} bytes)")
