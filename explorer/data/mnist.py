"""70,000 real handwritten digits, 28x28, shipped with the program: those of the first papers on pruning."""

import lzma
from functools import cache

import numpy as np
import torch

from ..errors import LoadError, UnknownNameError
from ..machine import paths
from ..registry import DATA
from ..values.samples import Split
from ..values.subject import Normalisation, Task

SOURCE = "The MNIST database of handwritten digits (LeCun, Cortes and Burges 1998), http://yann.lecun.com/exdb/mnist"
SAMPLES, SIDE = 70_000, 28
# The file holds the 60,000 training samples and then the 10,000 test samples, each in the order of
# stratified_order(targets, seed=0), so that a split never depends on a version.
BOUNDS = {"training": (0, 55_000), "tuning": (55_000, 60_000), "held_out": (60_000, 70_000)}
FINGERPRINT = "e63b104c31e1d376"  # of the unpacked file, checked by a test


@cache
def arrays() -> tuple[np.ndarray, np.ndarray]:
    """Pictures (70000, 28, 28) and classes (70000,), both uint8.

    Raises:
        LoadError: the file is missing or damaged.
    """
    path = paths.sample_models() / "data" / "mnist.xz"
    try:
        packed = np.frombuffer(lzma.decompress(path.read_bytes()), np.uint8)
        pictures = packed[: SAMPLES * SIDE * SIDE].reshape(SAMPLES, SIDE, SIDE)
        return pictures, packed[SAMPLES * SIDE * SIDE :].reshape(SAMPLES)
    except (OSError, ValueError, EOFError, lzma.LZMAError) as error:
        raise LoadError(f"The digits in {path.name} could not be read; install the program again.") from error


def load_split(name: str) -> Split:
    """A part of the stored order; inputs (n, 1, 28, 28) uint8.

    Raises:
        LoadError: the file is missing or damaged.
    """
    if name not in BOUNDS:
        raise UnknownNameError("split", name, BOUNDS)
    part = slice(*BOUNDS[name])
    pictures, classes = (array[part] for array in arrays())
    return Split(torch.from_numpy(pictures[:, None].copy()), torch.from_numpy(classes.astype(np.int64)))


@DATA.register("mnist", rank=3)
def mnist() -> Task:
    """MNIST, 28x28 handwritten digits: 55,000 to train, 5,000 to tune, the 10,000 test digits held out."""
    return Task(
        name="mnist",
        shape=(1, SIDE, SIDE),
        class_names=tuple(str(digit) for digit in range(10)),
        load_split=load_split,
        normalisation=Normalisation(scale=1 / 255, mean=(0.1307,), std=(0.3081,)),
        note="Real data: the tuning samples are the last 5,000 of the 60,000 training digits, shuffled.",
        source=SOURCE,
        licence="CC BY-SA 3.0",
        fingerprint=FINGERPRINT,
    )
