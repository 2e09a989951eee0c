"""Pictures of several shapes, from seeds to pixels, with the box around each (see `shapes_drawing`)."""

import numpy as np
from numpy import ndarray

from .shapes_distances import CLASSES
from .shapes_drawing import INSIDE, Dice, as_bytes, axes, background, blend, cover_of, distances, shape_colour

SCENE = 64  # pixels
PLACES = ((-1, -1), (1, -1), (-1, 1), (1, 1))  # of the shapes, before each is shifted
NOTHING = 255  # the class of a place without a shape


def draw_scene(samples: int, seed: tuple[int, ...]) -> tuple[ndarray, ndarray]:
    """Draw pictures of one to four shapes, rotated, squeezed, striped, over a cluttered background, under
    noise.

    Args:
        samples: how many; another number gives different pictures from the first one on.
        seed: whole numbers.
    Returns:
        inputs (n, 3, 64, 64) uint8; boxes (n, 4, 5) uint8 of x1, y1, x2, y2 in pixels and the class, which
        is 255 where there is no shape. A box holds all pixels of its shape, those that another hides too.
    """
    dice = Dice(samples, seed)
    count = dice.uniform(1, 5).astype(np.int64)  # (n, 1, 1), 1 to 4
    rank = dice.uniform(0, 1, 4).argsort(1).argsort(1)
    picture, ground = background(dice, SCENE)
    boxes = np.zeros((samples, len(PLACES), 5), np.uint8)
    for place, (right, down) in enumerate(PLACES):
        targets, cover, colour = _shape(dice, right, down, ground)
        shown = rank[:, place] < count[:, 0, 0]
        cover = cover * shown[:, None, None]
        blend(picture, colour, cover)
        boxes[:, place, :4] = _around(cover > INSIDE)
        boxes[:, place, 4] = np.where(shown, targets, NOTHING)
    picture += dice.noise(3, SCENE) * dice.uniform(0.05, 0.2, 1, 1, 1)
    return as_bytes(picture), boxes


def _shape(dice: Dice, right: int, down: int, ground: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    """Return the class of one shape in each picture, its cover (n, 64, 64) and its colour."""
    targets = dice.state.randint(0, len(CLASSES), dice.samples).astype(np.uint8)
    scale, squeeze = dice.uniform(0.35, 0.95), dice.uniform(0.8, 1.0)
    cosine, sine = dice.direction()
    x, y = axes(SCENE)
    x, y = x - right - dice.uniform(-0.3, 0.3), y - down - dice.uniform(-0.3, 0.3)
    u, v = (x * cosine + y * sine) / (scale * squeeze), (y * cosine - x * sine) / scale
    cover = cover_of(distances(u, v, targets) * scale * squeeze)
    return targets, cover, shape_colour(dice, ground, v)


def _around(inside: ndarray) -> ndarray:
    """Return the boxes (n, 4) around the pixels that are True in (n, 64, 64); zeros if none is."""
    ends = []
    for axis in (1, 2):  # columns, rows
        line: ndarray = np.any(inside, axis=axis)
        first, last = line.argmax(1), SCENE - line[:, ::-1].argmax(1)
        ends.append((first, np.where(line.any(1), last, 0)))
    (x1, x2), (y1, y2) = ends
    return np.stack([x1, y1, x2, y2], 1).astype(np.uint8)
