"""Sketches of what a page will show once there is something to show, each with a line of words."""

from itertools import pairwise

from .vector_image import INK, SHADE, vector_image

Dot = tuple[float, float]  # right and up, from 0 to 100
WIDE, HIGH, EDGE = 360, 190, 14  # pixels
AXES = f'<path d="M{EDGE} 6V{HIGH - EDGE}H{WIDE - 6}" fill="none" stroke="{SHADE}"/>'
# kept runs: how much is left, and how good; those on the front are filled
FRONT = ((18, 40), (34, 66), (52, 82), (74, 90), (96, 92))
BEATEN = ((40, 48), (60, 70), (82, 78))
# epochs of a training, and how good
TRAINED = ((4, 18), (14, 52), (26, 70), (42, 80), (62, 85), (96, 88))
DENSE = 92
# criteria: how good what each leaves is, and between which random ones end
LEFT_BY = (88, 84, 76, 60, 46)
CHANCE = (34, 52)


def kept_runs(words: str, caption: str) -> str:
    """Return a picture of runs as dots, and the stairs of those that nothing beats.

    >>> "<figcaption>later</figcaption>" in kept_runs("dots", "later")
    True
    """
    front, behind = ([_placed(*dot) for dot in dots] for dots in (FRONT, BEATEN))
    hollow = f'fill="none" stroke="{SHADE}" stroke-dasharray="2 2"'
    shapes = _line(_corners(front)) + _dots(front, f'fill="{INK}"') + _dots(behind, hollow)
    return _figure(shapes, words, caption)


def recovery(words: str, caption: str) -> str:
    """Return a picture of quality that rises epoch by epoch, towards the line of the dense model."""
    curve = [_placed(*dot) for dot in TRAINED]
    (left, level), (right, _) = _placed(0, DENSE), _placed(100, DENSE)
    dense = f'<path d="M{left:.0f} {level:.0f}H{right:.0f}" stroke="{SHADE}" stroke-dasharray="2 4"/>'
    return _figure(dense + _line(curve) + _dots(curve, f'fill="{INK}"'), words, caption)


def duel(words: str, caption: str) -> str:
    """Return a picture of criteria one below the other, the best on top, and a band of chance."""
    (left, top), (right, bottom) = _placed(CHANCE[0], 100), _placed(CHANCE[1], 0)
    size = f'width="{right - left:.0f}" height="{bottom - top:.0f}"'
    band = f'<rect x="{left:.0f}" y="{top:.0f}" {size} fill="{SHADE}" fill-opacity="0.3"/>'
    dots = [_placed(kept, 90 - 20 * row) for row, kept in enumerate(LEFT_BY)]
    bars = "".join(f'<path d="M{x - 26:.0f} {y:.0f}H{x + 26:.0f}" stroke="{INK}"/>' for x, y in dots)
    return _figure(band + bars + _dots(dots, f'fill="{INK}"'), words, caption)


def _figure(shapes: str, words: str, caption: str) -> str:
    image = vector_image(AXES + shapes, (WIDE, HIGH), words)
    return f'<figure class="sketched">{image}<figcaption>{caption}</figcaption></figure>'


def _placed(right: float, up: float) -> Dot:
    """Return where a dot is, in pixels, of which it takes shares of 100."""
    return EDGE + 4 + (WIDE - EDGE - 20) * right / 100, (HIGH - EDGE) * (1 - up / 100)


def _line(dots: list[Dot]) -> str:
    points = " ".join(f"{x:.0f},{y:.0f}" for x, y in dots)
    return f'<polyline points="{points}" fill="none" stroke="{INK}" stroke-dasharray="4 3"/>'


def _dots(dots: list[Dot], look: str) -> str:
    return "".join(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="6" {look}/>' for x, y in dots)


def _corners(dots: list[Dot]) -> list[Dot]:
    """Return the corners of the stairs through some dots."""
    return [dots[0], *(corner for one, other in pairwise(dots) for corner in ((other[0], one[1]), other))]
