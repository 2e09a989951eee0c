"""Pictures of shapes, from seeds to pixels.

Only additions, products, divisions, square roots and comparisons touch the pixels: IEEE 754 rounds them alike
everywhere. The random numbers come from RandomState, whose streams NumPy has frozen (NEP 19), unlike those of
its newer generators.
"""

import numpy as np
from numpy import ndarray

from .shapes_distances import CLASSES, DISTANCES, length

SIZE = 32  # pixels; a pixel is 1/16 in the picture's units
INSIDE = 0.5  # cover from which a pixel belongs to a shape


class Dice:
    """Random columns of shape (n, 1, 1), ready to combine with pictures (n, size, size)."""

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

    def noise(self, channels: int, size: int = SIZE) -> ndarray:
        """Return the sum of two bytes: a triangular distribution from -1 to 1, (n, channels, size, size)."""
        count = self.samples * channels * size * size
        raw = np.frombuffer(self.state.bytes(2 * count), np.uint8).reshape(
            2, self.samples, channels, size, size
        )
        return (raw[0].astype(np.int16) + raw[1] - 255).astype(np.float32) / 255


def axes(size: int = SIZE) -> tuple[ndarray, ndarray]:
    """Return pixel centres, from -1 to 1 for 32 pixels: x (1, 1, size) and y (1, size, 1)."""
    line = ((np.arange(size) + 0.5) / SIZE * 2 - size / SIZE).astype(np.float32)
    return line[None, None, :], line[None, :, None]


def cover_of(distance: ndarray) -> ndarray:
    """Return the share of each pixel inside, from a distance in the picture's units (a pixel is 1/16): smooth
    edges.
    """
    return np.clip(0.5 - distance * (SIZE / 2), 0, 1)


def _wave(position: ndarray) -> ndarray:
    """Return a triangle wave from -1 to 1 of period 1."""
    return np.abs(position - np.floor(position) - 0.5) * 4 - 1


def blend(picture: ndarray, colour: ndarray, cover: ndarray) -> None:
    """Paint a colour (n, 3, 1 or size, 1 or size) over a picture (n, 3, size, size) where cover (n, size,
    size) is 1, in place.
    """
    picture += (colour - picture) * cover[:, None]


def background(dice: Dice, size: int = SIZE) -> tuple[ndarray, ndarray]:
    """Return a gradient under stripes and dots of clutter, (n, 3, size, size), and its middle colour (n, 3,
    1, 1).
    """
    (x, y), reach = axes(size), size / SIZE
    cosine, sine = dice.direction()
    slope = ((x * cosine + y * sine) * 0.35 + 0.5)[:, None]
    first, second = dice.uniform(0.05, 0.55, 3, 1, 1), dice.uniform(-0.25, 0.25, 3, 1, 1)
    picture = first + second * slope
    for _ in range(2):
        cosine, sine = dice.direction()
        strip = np.abs(x * cosine + y * sine - dice.uniform(-reach, reach)) - dice.uniform(0.02, 0.12)
        blend(picture, first + dice.uniform(-0.25, 0.25, 3, 1, 1), cover_of(strip))
    for _ in range(3):
        dot = length(x - dice.uniform(-reach, reach), y - dice.uniform(-reach, reach)) - dice.uniform(
            0.05, 0.2
        )
        blend(picture, first + dice.uniform(-0.3, 0.3, 3, 1, 1), cover_of(dot))
    return picture, first + second * np.float32(0.5)


def distances(x: ndarray, y: ndarray, targets: ndarray) -> ndarray:
    """Return the distance of each sample to the shape of its class; x and y in the shape's own frame, (n,
    size, size).
    """
    distance = np.empty_like(x)
    for number, name in enumerate(CLASSES):
        members = targets == number
        distance[members] = DISTANCES[name](x[members], y[members])
    return distance


def shape_colour(dice: Dice, ground: ndarray, along: ndarray) -> ndarray:
    """Return a colour lighter than the background's, striped along the shape's own axis, (n, 3, size,
    size).
    """
    away = dice.uniform(0.1, 0.5, 3, 1, 1)
    stripes = _wave(along * dice.uniform(0.5, 2.0) + dice.uniform(0, 1)) * dice.uniform(0, 0.12)
    return ground + away + stripes[:, None]


def _occlude(dice: Dice, picture: ndarray) -> ndarray:
    """Hide a part of the picture behind a rotated rectangle of any colour, in place; return its cover."""
    x, y = axes()
    cosine, sine = dice.direction()
    x, y = x - dice.uniform(-0.7, 0.7), y - dice.uniform(-0.7, 0.7)
    u, v = x * cosine + y * sine, y * cosine - x * sine
    patch = cover_of(np.maximum(np.abs(u) - dice.uniform(0.08, 0.3), np.abs(v) - dice.uniform(0.08, 0.3)))
    blend(picture, dice.uniform(0, 1, 3, 1, 1), patch)
    return patch


def as_bytes(picture: ndarray) -> ndarray:
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def draw_masked(samples: int, seed: tuple[int, ...]) -> tuple[ndarray, ndarray, ndarray]:
    """Draw pictures, their classes, and which pixels show the shape.

    Each shows one shape, rotated, squeezed, striped, over a cluttered background, partly hidden by a patch,
    under noise.

    Args:
        samples: how many; another number gives different pictures from the first one on.
        seed: whole numbers.
    Returns:
        inputs (n, 3, 32, 32) uint8, targets (n,) uint8, visible (n, 32, 32) bool.
    """
    dice = Dice(samples, seed)
    targets = dice.classes()
    picture, ground = background(dice)
    x, y = axes()
    scale, squeeze = dice.uniform(0.46, 0.8), dice.uniform(0.8, 1.0)
    cosine, sine = dice.direction()
    x, y = x - dice.uniform(-0.35, 0.35), y - dice.uniform(-0.35, 0.35)
    u, v = (x * cosine + y * sine) / (scale * squeeze), (y * cosine - x * sine) / scale
    cover = cover_of(distances(u, v, targets) * scale * squeeze)
    blend(picture, shape_colour(dice, ground, v), cover)
    patch = _occlude(dice, picture)
    picture += dice.noise(3) * dice.uniform(0.05, 0.25, 1, 1, 1)
    return as_bytes(picture), targets, (cover > INSIDE) & (patch <= INSIDE)


def draw(samples: int, seed: tuple[int, ...]) -> tuple[ndarray, ndarray]:
    """Return the pictures and classes of `draw_masked`."""
    return draw_masked(samples, seed)[:2]
