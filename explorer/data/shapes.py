"""Procedural pictures of ten shapes: no download, no licence, the same bits on any machine."""

import numpy as np
import torch

from ..errors import UnknownNameError
from ..registry import DATA
from ..values.samples import Split
from ..values.subject import Normalisation, SizedSplits, Task
from .drawn_cache import Arrays, drawn_once
from .shapes_distances import CLASSES
from .shapes_drawing import SIZE, draw

SAMPLES = {"training": 20_000, "tuning": 5_000, "held_out": 10_000}
SEEDS = {"training": 1, "tuning": 2, "held_out": 3}
NORMALISATION = Normalisation(scale=1 / 255, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
CHUNK = 1_000  # samples drawn at once; part of what defines the data
FINGERPRINT = (
    "bf8ab0191d04a94e"  # of the first 1,000 tuning samples, checked by a test; part of the cache's file names
)


def make_split(name: str, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the first samples of a split: inputs (n, 3, 32, 32) uint8 and targets (n,) uint8; every ten in a
    row contain all classes.
    """
    drawn = [draw(CHUNK, seed=(SEEDS[name], start)) for start in range(0, samples, CHUNK)]
    inputs, targets = (np.concatenate(parts)[:samples] for parts in zip(*drawn, strict=True))
    return inputs, targets


def load_split(name: str) -> Split:
    """Load a split from the cache, or draw it if it isn't there."""
    if name not in SAMPLES:
        raise UnknownNameError("split", name, SAMPLES)
    samples = SAMPLES[name]

    def drawn() -> Arrays:
        inputs, targets = make_split(name, samples)
        return {"inputs": inputs, "targets": targets}

    form = {"inputs": (samples, 3, SIZE, SIZE), "targets": (samples,)}
    arrays = drawn_once(f"shapes-{FINGERPRINT}-{name}.npz", form, drawn)
    return Split(torch.from_numpy(arrays["inputs"]), torch.from_numpy(arrays["targets"].astype(np.int64)))


@DATA.register("shapes", rank=2)
def shapes() -> Task:
    """Ten shapes, 32x32 colour pixels, drawn by the program: cluttered, partly hidden, noisy."""
    return Task(
        name="shapes",
        shape=(3, 32, 32),
        class_names=CLASSES,
        load_split=SizedSplits(load_split, SAMPLES),
        normalisation=NORMALISATION,
        note="Drawn by the program: 5,000 tuning and 10,000 held-out samples from separate seeds.",
        source="explorer/data/shapes_drawing.py",
        licence="MIT",
        fingerprint=FINGERPRINT,
    )
