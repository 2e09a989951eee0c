"""Pictures of shapes, from seeds to pixels.

Only additions, products, divisions, square roots and comparisons touch the pixels: IEEE 754 rounds them alike
everywhere. The random numbers come from RandomState, whose streams NumPy has frozen (NEP 19), unlike those of
its newer generators.
"""

import numpy as np
from numpy import ndarray

from .shapes_distances import CLASSES, DISTANCES, length

SIZE = 32  # pixels


class _Dice:
    """Random columns of shape (n, 1, 1), ready to combine with pictures (n, 32, 32)."""

    def __init__(self, samples: int, seed: tuple[int, ...]):
        self.samples, self.state = samples, np.random.RandomState(list(seed))

    def uniform(self, low: float, high: float, *shape: int) -> ndarray:
        drawn = self.state.random_sample((self.samples, *(shape or (1, 1))))
        return (low + (high - low) * drawn).astype(np.float32)

    def direction(self) -> tuple[ndarray, ndarray]:
        """Return cosine and sine of an angle, rounded to 2^-16: libraries may differ in the last bit of a
        cosine, but not in these.
        """
        angle = self.state.random_sample((self.samples, 1, 1)) * (2 * np.pi)
        cosine, sine = (np.round(f(angle) * 65536) / 65536 for f in (np.cos, np.sin))
        return cosine.astype(np.float32), sine.astype(np.float32)

    def classes(self) -> ndarray:
        """Return classes; every ten in a row are a shuffle of all ten."""
        blocks = [self.state.permutation(len(CLASSES)) for _ in range(-(-self.samples // len(CLASSES)))]
        return np.concatenate(blocks)[: self.samples].astype(np.uint8)

    def noise(self, channels: int) -> ndarray:
        """Return the sum of two bytes: a triangular distribution from -1 to 1, (n, channels, 32, 32)."""
        count = self.samples * channels * SIZE * SIZE
        raw = np.frombuffer(self.state.bytes(2 * count), np.uint8).reshape(
            2, self.samples, channels, SIZE, SIZE
        )
        return (raw[0].astype(np.int16) + raw[1] - 255).astype(np.float32) / 255


def _axes() -> tuple[ndarray, ndarray]:
    """Return pixel centres from -1 to 1: x (1, 1, 32) and y (1, 32, 1)."""
    line = ((np.arange(SIZE) + 0.5) / SIZE * 2 - 1).astype(np.float32)
    return line[None, None, :], line[None, :, None]


def _cover(distance: ndarray) -> ndarray:
    """Return the share of each pixel inside, from a distance in the picture's units (a pixel is 1/16): smooth
    edges.
    """
    return np.clip(0.5 - distance * (SIZE / 2), 0, 1)


def _wave(position: ndarray) -> ndarray:
    """Return a triangle wave from -1 to 1 of period 1."""
    return np.abs(position - np.floor(position) - 0.5) * 4 - 1


def _blend(picture: ndarray, colour: ndarray, cover: ndarray) -> None:
    """Paint a colour (n, 3, 1 or 32, 1 or 32) over a picture (n, 3, 32, 32) where cover (n, 32, 32) is 1, in
    place.
    """
    picture += (colour - picture) * cover[:, None]


def _background(dice: _Dice) -> tuple[ndarray, ndarray]:
    """Return a gradient under stripes and dots of clutter, (n, 3, 32, 32), and its middle colour (n, 3, 1,
    1).
    """
    x, y = _axes()
    cosine, sine = dice.direction()
    slope = ((x * cosine + y * sine) * 0.35 + 0.5)[:, None]
    first, second = dice.uniform(0.05, 0.55, 3, 1, 1), dice.uniform(-0.25, 0.25, 3, 1, 1)
    picture = first + second * slope
    for _ in range(2):
        cosine, sine = dice.direction()
        strip = np.abs(x * cosine + y * sine - dice.uniform(-1, 1)) - dice.uniform(0.02, 0.12)
        _blend(picture, first + dice.uniform(-0.25, 0.25, 3, 1, 1), _cover(strip))
    for _ in range(3):
        dot = length(x - dice.uniform(-1, 1), y - dice.uniform(-1, 1)) - dice.uniform(0.05, 0.2)
        _blend(picture, first + dice.uniform(-0.3, 0.3, 3, 1, 1), _cover(dot))
    return picture, first + second * np.float32(0.5)


def _distances(x: ndarray, y: ndarray, targets: ndarray) -> ndarray:
    """Return the distance of each sample to the shape of its class; x and y in the shape's own frame, (n, 32,
    32).
    """
    distance = np.empty_like(x)
    for number, name in enumerate(CLASSES):
        members = targets == number
        distance[members] = DISTANCES[name](x[members], y[members])
    return distance


def _shape_colour(dice: _Dice, ground: ndarray, along: ndarray) -> ndarray:
    """Return a colour lighter than the background's, striped along the shape's own axis, (n, 3, 32, 32)."""
    away = dice.uniform(0.1, 0.5, 3, 1, 1)
    stripes = _wave(along * dice.uniform(0.5, 2.0) + dice.uniform(0, 1)) * dice.uniform(0, 0.12)
    return ground + away + stripes[:, None]


def _occlude(dice: _Dice, picture: ndarray) -> None:
    """Hide a part of the picture behind a rotated rectangle of any colour, in place."""
    x, y = _axes()
    cosine, sine = dice.direction()
    x, y = x - dice.uniform(-0.7, 0.7), y - dice.uniform(-0.7, 0.7)
    u, v = x * cosine + y * sine, y * cosine - x * sine
    patch = np.maximum(np.abs(u) - dice.uniform(0.08, 0.3), np.abs(v) - dice.uniform(0.08, 0.3))
    _blend(picture, dice.uniform(0, 1, 3, 1, 1), _cover(patch))


def draw(samples: int, seed: tuple[int, ...]) -> tuple[ndarray, ndarray]:
    """Draw pictures and their classes.

    Each shows one shape, rotated, squeezed, striped, over a cluttered background, partly hidden by a patch,
    under noise.

    Args:
        samples: how many; another number gives different pictures from the first one on.
        seed: whole numbers.
    Returns:
        inputs (n, 3, 32, 32) uint8, targets (n,) uint8.
    """
    dice = _Dice(samples, seed)
    targets = dice.classes()
    picture, ground = _background(dice)
    x, y = _axes()
    scale, squeeze = dice.uniform(0.46, 0.8), dice.uniform(0.8, 1.0)
    cosine, sine = dice.direction()
    x, y = x - dice.uniform(-0.35, 0.35), y - dice.uniform(-0.35, 0.35)
    u, v = (x * cosine + y * sine) / (scale * squeeze), (y * cosine - x * sine) / scale
    cover = _cover(_distances(u, v, targets) * scale * squeeze)
    _blend(picture, _shape_colour(dice, ground, v), cover)
    _occlude(dice, picture)
    picture += dice.noise(3) * dice.uniform(0.05, 0.25, 1, 1, 1)
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8), targets
