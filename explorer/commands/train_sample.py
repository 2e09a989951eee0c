"""Train a sample model again, as it was trained."""

import argparse
import time
from pathlib import Path

from ..errors import ExplorerError
from ..registry import SAMPLES
from ..sample_training import train_sample
from ..training import TrainingStep
from .model import set_up
from .output import note

EVERY = 10.0  # seconds between lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the sample (see 'pruning-explorer models')")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of weights, order and augmentation (default: 0)")
    parser.add_argument("--out", metavar="FOLDER", help="write weights/ and cards/ here (default: the program's own folder)")


def run(arguments: argparse.Namespace) -> None:
    """Train, with a line on stderr now and then.

    Raises:
        ExplorerError: no such sample, or the folder cannot be written.
    """
    set_up()
    shown = -EVERY
    try:
        for step in train_sample(arguments.name, seed=arguments.seed, out=Path(arguments.out) if arguments.out else None):
            if time.monotonic() - shown >= EVERY or step.step == step.steps:
                shown = time.monotonic()
                note(_line(step))
    except OSError as error:
        raise ExplorerError(f"The weights cannot be written ({error.strerror}); choose a folder with --out.") from error
    note(f"Trained {arguments.name} ({SAMPLES[arguments.name].tooltip})")


def _line(step: TrainingStep) -> str:
    left = step.seconds / step.step * (step.steps - step.step)
    return (f"epoch {step.epoch} of {step.epochs}, step {step.step:,} of {step.steps:,}: loss {step.loss:.3f}, "
            f"accuracy on augmented training samples {step.accuracy:.1%}, {left:.0f} s left")  # fmt: skip
