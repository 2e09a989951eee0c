"""Several drawn shapes in a picture, and the box around each: for detection."""

from functools import partial

import numpy as np
import torch

from ..errors import UnknownNameError
from ..registry import DATA
from ..values.samples import Split
from ..values.subject import SizedSplits, Task
from .drawn_cache import Arrays, drawn_once
from .grid_boxes import boxes_of, detection_loss
from .scenes_drawing import NOTHING, PLACES, SCENE, draw_scene
from .shapes import NORMALISATION, SEEDS
from .shapes_distances import CLASSES

SAMPLES = {"training": 12_000, "tuning": 2_000, "held_out": 4_000}
CHUNK = 50  # samples drawn at once; part of what defines the data
FINGERPRINT = (
    "9362d0238fbbc27e"  # of the first 200 tuning samples, checked by a test; part of the cache's file names
)


def make_split(name: str, samples: int) -> Arrays:
    """Draw the first samples of a split: inputs (n, 3, 64, 64) and targets (n, 4, 5), uint8; see
    `draw_scene`.
    """
    drawn = [draw_scene(CHUNK, seed=(SEEDS[name], start)) for start in range(0, samples, CHUNK)]
    inputs, targets = (np.concatenate(parts)[:samples] for parts in zip(*drawn, strict=True))
    return {"inputs": inputs, "targets": targets}


def load_split(name: str) -> Split:
    """Load a split from the cache, or draw it if it isn't there; targets are (n, 4, 5) float32 of x1, y1, x2,
    y2, label (-1: no box).
    """
    if name not in SAMPLES:
        raise UnknownNameError("split", name, SAMPLES)
    samples = SAMPLES[name]
    form = {"inputs": (samples, 3, SCENE, SCENE), "targets": (samples, len(PLACES), 5)}
    arrays = drawn_once(f"shapes-scenes-{FINGERPRINT}-{name}.npz", form, partial(make_split, name, samples))
    boxes = arrays["targets"].astype(np.float32)
    boxes[..., 4][arrays["targets"][..., 4] == NOTHING] = -1
    return Split(torch.from_numpy(arrays["inputs"]), torch.from_numpy(boxes))


@DATA.register("shapes-scenes", rank=5)
def shapes_scenes() -> Task:
    """One to four drawn shapes in 64x64 colour pixels, and the box around each, which the program knows since
    it draws them.
    """
    return Task(
        name="shapes-scenes",
        shape=(3, SCENE, SCENE),
        class_names=CLASSES,
        load_split=SizedSplits(load_split, SAMPLES),
        normalisation=NORMALISATION,
        note="Drawn by the program: 2,000 tuning and 4,000 held-out samples from separate seeds.",
        source="explorer/data/scenes_drawing.py",
        licence="MIT",
        fingerprint=FINGERPRINT,
        metric="detection_f1",
        loss=detection_loss,
        answer=boxes_of,
    )
