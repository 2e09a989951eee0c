"""1,797 real handwritten digits, 8x8, shipped with the program: the smallest honest data set."""

import hashlib

import numpy as np
import torch

from ..errors import LoadError, UnknownNameError
from ..machine import paths
from ..registry import DATA
from ..values.samples import Split
from ..values.subject import Normalisation, Task

SOURCE = (
    "UCI, Optical Recognition of Handwritten Digits (Alpaydin and Kaynak 1998), "
    "https://doi.org/10.24432/C50P49"
)
# The file holds the samples in the order of stratified_order(targets, seed=0), so that a split never depends
# on a version.
BOUNDS = {"training": (0, 897), "tuning": (897, 1347), "held_out": (1347, 1797)}


def load_split(name: str) -> Split:
    """Return a part of the stored order; inputs (n, 1, 8, 8) uint8 from 0 to 16.

    Raises:
        LoadError: the file is missing or damaged.
    """
    if name not in BOUNDS:
        raise UnknownNameError("split", name, BOUNDS)
    path = paths.sample_models() / "data" / "digits.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            inputs, targets = file["inputs"], file["targets"]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise LoadError(f"The digits in {path.name} could not be read; install the program again.") from error
    part = slice(*BOUNDS[name])
    return Split(torch.from_numpy(inputs[part]), torch.from_numpy(targets[part].astype(np.int64)))


@DATA.register("digits", rank=1)
def digits() -> Task:
    """Real handwritten digits, 8x8 pixels: small data that answers at once."""
    path = paths.sample_models() / "data" / "digits.npz"
    return Task(
        name="digits",
        shape=(1, 8, 8),
        class_names=tuple(str(digit) for digit in range(10)),
        load_split=load_split,
        normalisation=Normalisation(scale=1 / 16, mean=(0.305,), std=(0.376,)),
        note="Small data: 450 samples a split say about 2.5 points either way.",
        source=SOURCE,
        licence="CC BY 4.0",
        fingerprint=hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else "",
    )
