"""Procedural pictures of ten shapes: no download, no licence, the same bits on any machine."""

import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch

from ..errors import UnknownNameError
from ..machine import paths
from ..registry import DATA
from ..values.samples import Split
from ..values.subject import Normalisation, Task
from .shapes_distances import CLASSES
from .shapes_drawing import draw

SAMPLES = {"training": 20_000, "tuning": 5_000, "held_out": 10_000}
SEEDS = {"training": 1, "tuning": 2, "held_out": 3}
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


def _read(path: Path, samples: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the cached arrays, or None if there are none or they are damaged (by the zip's own checksum)."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            inputs, targets = file["inputs"], file["targets"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    whole = inputs.shape == (samples, 3, 32, 32) and targets.shape == (samples,)
    return (inputs, targets) if whole and inputs.dtype == targets.dtype == np.uint8 else None


def _write(path: Path, inputs: np.ndarray, targets: np.ndarray) -> None:
    """Cache the arrays; a reader sees the whole file or nothing. A cache that cannot be written is
    skipped.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, inputs=inputs, targets=targets)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)


def load_split(name: str) -> Split:
    """Load a split from the cache, or draw it if it isn't there."""
    if name not in SAMPLES:
        raise UnknownNameError("split", name, SAMPLES)
    path = paths.cache() / f"shapes-{FINGERPRINT}-{name}.npz"
    arrays = _read(path, SAMPLES[name])
    if arrays is None:
        arrays = make_split(name, SAMPLES[name])
        _write(path, *arrays)
    return Split(torch.from_numpy(arrays[0]), torch.from_numpy(arrays[1].astype(np.int64)))


@DATA.register("shapes", rank=2)
def shapes() -> Task:
    """Ten shapes, 32x32 colour pixels, drawn by the program: cluttered, partly hidden, noisy."""
    return Task(
        name="shapes",
        shape=(3, 32, 32),
        class_names=CLASSES,
        load_split=load_split,
        normalisation=Normalisation(scale=1 / 255, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)),
        note="Drawn by the program: 5,000 tuning and 10,000 held-out samples from separate seeds.",
        source="explorer/data/shapes_drawing.py",
        licence="MIT",
        fingerprint=FINGERPRINT,
    )
