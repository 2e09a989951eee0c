"""Signed distances to ten shapes of about unit size: negative inside, close to true distances near
the edge.
"""

from collections.abc import Callable

import numpy as np
from numpy import ndarray

ROOT_3_4 = 0.8660254  # sine of 60 degrees
PENTAGON = (
    (0.0, -1.0),
    (0.9510565, -0.3090170),
    (-0.9510565, -0.3090170),
    (0.5877853, 0.8090170),
    (-0.5877853, 0.8090170),
)


def length(x: ndarray, y: ndarray) -> ndarray:
    return np.sqrt(x * x + y * y)


def _box(x: ndarray, y: ndarray, width: float, height: float) -> ndarray:
    return np.maximum(np.abs(x) - width, np.abs(y) - height)


def arrow(x: ndarray, y: ndarray) -> ndarray:
    head = np.maximum(np.abs(x) * 0.8 + y * 0.6 - 0.57, -y)
    return np.minimum(head, _box(x, y + 0.45, 0.22, 0.5))


def circle(x: ndarray, y: ndarray) -> ndarray:
    return length(x, y) - 0.8


def crescent(x: ndarray, y: ndarray) -> ndarray:
    return np.maximum(length(x, y) - 0.9, 0.75 - length(x - 0.45, y))


def cross(x: ndarray, y: ndarray) -> ndarray:
    return np.minimum(_box(x, y, 0.9, 0.28), _box(x, y, 0.28, 0.9))


def heart(x: ndarray, y: ndarray) -> ndarray:
    x, y = np.abs(x), y + 0.1
    return np.minimum((x + np.abs(y)) * 0.7071068 - 0.5303301, length(x - 0.375, y - 0.375) - 0.5303301)


def hexagon(x: ndarray, y: ndarray) -> ndarray:
    x, y = np.abs(x), np.abs(y)
    return np.maximum(x * ROOT_3_4 + y * 0.5, y) - 0.75


def ring(x: ndarray, y: ndarray) -> ndarray:
    return np.abs(length(x, y) - 0.66) - 0.22


def square(x: ndarray, y: ndarray) -> ndarray:
    return _box(x, y, 0.7, 0.7)


def star(x: ndarray, y: ndarray) -> ndarray:
    """Return the distance to a pentagram: inside at least four of five half-planes."""
    sides = np.stack([a * x + b * y for a, b in PENTAGON])
    return np.sort(sides, axis=0)[3] - 0.31


def triangle(x: ndarray, y: ndarray) -> ndarray:
    return np.maximum(np.abs(x) * ROOT_3_4 + y * 0.5, -y) - 0.5


DISTANCES: dict[str, Callable[[ndarray, ndarray], ndarray]] = {
    "arrow": arrow,
    "circle": circle,
    "crescent": crescent,
    "cross": cross,
    "heart": heart,
    "hexagon": hexagon,
    "ring": ring,
    "square": square,
    "star": star,
    "triangle": triangle,
}

CLASSES = tuple(DISTANCES)
