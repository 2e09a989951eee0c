"""The pictures of `shapes` with the class of each pixel: for segmentation."""

from functools import partial

import numpy as np
import torch

from ..errors import UnknownNameError
from ..registry import DATA
from ..values.samples import Split
from ..values.subject import SizedSplits, Task
from .drawn_cache import Arrays, drawn_once
from .shapes import CHUNK, NORMALISATION, SEEDS
from .shapes_distances import CLASSES
from .shapes_drawing import SIZE, draw_masked

SAMPLES = {"training": 12_000, "tuning": 2_000, "held_out": 4_000}
FINGERPRINT = (
    "aa5cd5e8d1709e94"  # of the first 1,000 tuning samples, checked by a test; part of the cache's file names
)


def make_split(name: str, samples: int) -> Arrays:
    """Draw the first samples of a split: inputs (n, 3, 32, 32) and targets (n, 32, 32), uint8; 0 is the
    background, and a shape's class is one more than in `shapes`.
    """
    drawn = [draw_masked(CHUNK, seed=(SEEDS[name], start)) for start in range(0, samples, CHUNK)]
    inputs, classes, visible = (np.concatenate(parts)[:samples] for parts in zip(*drawn, strict=True))
    return {"inputs": inputs, "targets": np.where(visible, classes[:, None, None] + 1, 0).astype(np.uint8)}


def load_split(name: str) -> Split:
    """Load a split from the cache, or draw it if it isn't there."""
    if name not in SAMPLES:
        raise UnknownNameError("split", name, SAMPLES)
    samples = SAMPLES[name]
    form = {"inputs": (samples, 3, SIZE, SIZE), "targets": (samples, SIZE, SIZE)}
    arrays = drawn_once(f"shapes-masks-{FINGERPRINT}-{name}.npz", form, partial(make_split, name, samples))
    return Split(*(torch.from_numpy(arrays[part]) for part in form))


@DATA.register("shapes-masks", rank=4)
def shapes_masks() -> Task:
    """The drawn shapes, 32x32 colour pixels, and the class of each pixel: ten shapes, and the background."""
    return Task(
        name="shapes-masks",
        shape=(3, SIZE, SIZE),
        class_names=("background", *CLASSES),
        load_split=SizedSplits(load_split, SAMPLES),
        normalisation=NORMALISATION,
        note="Drawn by the program: 2,000 tuning and 4,000 held-out samples from separate seeds.",
        source="explorer/data/shapes_drawing.py",
        licence="MIT",
        fingerprint=FINGERPRINT,
        metric="mean_iou",
    )
