"""Words on the cells of a heat map, black or white, whichever can be read on the colour of its cell.

Plotly's own words are grey or white, which a cell of medium brightness leaves below 3:1.
"""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.colors import get_colorscale, sample_colorscale

Scale = str | Sequence[Sequence[Any]]  # a name of Plotly's, or [place in 0 to 1, opaque colour]
INKS = ("#000000", "#ffffff")
LINEAR, KNEE, GAMMA = 12.92, 0.04045, 2.4  # of sRGB


def cell_words(cells: go.Heatmap, scale: Scale, ends: tuple[float, float], size: int = 11) -> go.Scatter:
    """Return the text of a heat map's cells as a trace of its own, to be drawn over it.

    Args:
        cells: with x, y, z and text; cells without a value, or with empty text, get no words.
        scale, ends: the colours of z, opaque wherever there is text, and the z of the first and last colour.
    """
    worded = [
        (x, y, word, (float(z) - ends[0]) / ((ends[1] - ends[0]) or 1))
        for y, values, row in zip(cells.y, cells.z, cells.text or (), strict=False)
        for x, z, word in zip(cells.x, values, row, strict=True)
        if word and z is not None
    ]
    colours = colours_at(scale, [place for _, _, _, place in worded])
    return go.Scatter(
        x=[x for x, _, _, _ in worded],
        y=[y for _, y, _, _ in worded],
        text=[word for _, _, word, _ in worded],
        mode="text",
        textfont={"size": size, "color": [ink(colour) for colour in colours]},
        hoverinfo="skip",
        showlegend=False,
    )


def colours_at(scale: Scale, places: Sequence[float]) -> list[tuple[float, float, float]]:
    """Return the red, green and blue, in 0 to 1, at places of a scale of colours.

    >>> colours_at([[0, "#000000"], [1, "#ff0000"]], [0.5, 2])
    [(0.5, 0.0, 0.0), (1.0, 0.0, 0.0)]
    """
    if not places:
        return []
    known = get_colorscale(scale) if isinstance(scale, str) else [list(step) for step in scale]
    inside = [min(max(place, 0.0), 1.0) for place in places]
    return [(red, green, blue) for red, green, blue in sample_colorscale(known, inside, colortype="tuple")]


def luminance(colour: tuple[float, float, float]) -> float:
    """Return the relative luminance of an sRGB colour (WCAG 2.2).

    >>> luminance((1.0, 1.0, 1.0)), luminance((0.0, 0.0, 0.0))
    (1.0, 0.0)
    """
    red, green, blue = (
        part / LINEAR if part <= KNEE else ((part + 0.055) / 1.055) ** GAMMA for part in colour
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: float, other: float) -> float:
    """Return the contrast of two luminances (WCAG 2.2), from 1 to 21."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def ink(colour: tuple[float, float, float]) -> str:
    """Return the ink that reads best on a colour; its contrast is at least 4.58.

    >>> ink((1.0, 1.0, 0.8)), ink((0.1, 0.1, 0.3))
    ('#000000', '#ffffff')
    """
    black, white = INKS
    here = luminance(colour)
    return black if contrast(here, 0) >= contrast(here, 1) else white
