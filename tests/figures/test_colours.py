"""Figures without colour: what two marks mean differs for people with colour blindness too, and words on
cells can be read.
"""

import itertools

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from behaviours import FOUND
from plotly.colors import get_colorscale
from test_figures import FULL, REPORT
from test_measured_figures import scan

from explorer.figures import (
    family_tree,
    lesson_curve,
    live_numbers,
    pareto,
    recovery_accuracy,
    recovery_curve,
    side_by_side,
)
from explorer.figures.cell_words import INKS, colours_at, contrast, luminance
from explorer.figures.class_accuracy import class_accuracy
from explorer.figures.confusion import CHANGES, NO_CHANGE, SHARES, confusion
from explorer.figures.criteria_agreement import criteria_agreement
from explorer.figures.curve_comparison import curve_comparison
from explorer.figures.live_marks import with_live_marks
from explorer.figures.reliability_diagram import reliability_diagram
from explorer.figures.sensitivity import SCALE, sensitivity
from explorer.figures.weight_bands import weight_bands
from explorer.figures.weight_depths import weight_depths
from explorer.inspection.weight_bands import WeightBand
from explorer.inspection.weight_depths import KindDepths, WeightDepths
from explorer.registry import METRICS
from explorer.studies.criteria_agreement import Agreement

# Machado, Oliveira and Fernandes (2009), doi:10.1109/TVCG.2009.113, severity 1, on linear RGB
VISIONS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
PAGES = {"light": "#ffffff", "dark": "#171614"}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.119192, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
LIGHTNESS, AREAS = 15, 20  # differences in CIELAB: of lightness, and of areas that lie next to each other
READABLE = 4.5  # contrast (WCAG 2.2, AA)


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def lab(colour: str, opacity: float, page: str, vision: np.ndarray) -> np.ndarray:
    """CIELAB of a colour on a page, as somebody sees it."""
    mixed = opacity * rgb(colour) + (1 - opacity) * rgb(page)
    linear = np.where(mixed <= 0.04045, mixed / 12.92, ((mixed + 0.055) / 1.055) ** 2.4)
    scaled = TO_XYZ @ np.clip(vision @ linear, 0, 1) / WHITE
    f = np.where(scaled > (6 / 29) ** 3, np.cbrt(scaled), scaled / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def form(trace) -> tuple:
    """All of a trace but its colour."""
    mode = getattr(trace, "mode", None) or ""
    symbol = trace.marker.symbol if "markers" in mode else None
    dash = (trace.line.dash or "solid") if "lines" in mode else None
    return trace.type, symbol, dash, trace.marker.pattern.shape if trace.type == "bar" else None


def seen(trace, page: str, vision: np.ndarray) -> np.ndarray:
    colour = trace.marker.color if trace.marker.color is not None else trace.line.color
    return lab(colour, 1.0 if trace.opacity is None else trace.opacity, page, vision)


def alike(figure: go.Figure) -> list[str]:
    """The pairs of traces in the legend that somebody cannot tell from each other."""
    named = [trace for trace in figure.data if trace.name and trace.showlegend is not False]
    unlike = []
    for one, other in itertools.combinations(named, 2):
        if one.name == other.name or form(one) != form(other):
            continue
        for (theme, page), (name, vision) in itertools.product(PAGES.items(), VISIONS.items()):
            apart = seen(one, page, vision) - seen(other, page, vision)
            enough = abs(apart[0]) >= LIGHTNESS or (one.type == "bar" and np.linalg.norm(apart) >= AREAS)
            if not enough:
                unlike.append(f"{one.name} and {other.name} ({name}, {theme})")
    return unlike


def looks(*marks: tuple[str, str] | tuple[str, str, str]) -> go.Figure:
    """A figure with a line for each (colour, symbol, dash)."""
    drawn = go.Figure()
    for place, (colour, symbol, *dash) in enumerate(marks):
        line = {"color": colour, "dash": dash[0] if dash else "solid"}
        marker = {"color": colour, "symbol": symbol}
        drawn.add_trace(
            go.Scatter(x=[0], y=[0], mode="lines+markers", name=f"{place}", marker=marker, line=line)
        )
    return drawn


LINES = {"channels": [REPORT], "weights": [REPORT], "channels: at random": [REPORT]}
BANDS = [WeightBand("a", 10, (1, 2, 3, 4, 5), (2, 3, 4, 5, 6), 0.1, 0.5, 10)]
LESSONS = tuple(zip(lesson_curve.COLOURS, lesson_curve.SYMBOLS, lesson_curve.DASHES, strict=True))
SEEDS = tuple(zip(recovery_accuracy.COLOURS, recovery_accuracy.SYMBOLS, strict=True))
FIGURES = {
    **FULL,
    "curve_comparison": lambda: with_live_marks(
        curve_comparison(LINES, REPORT, controls=["channels: at random"], kept={"a": REPORT}),
        "params",
        "m",
        METRICS["accuracy"](),
    ),
    "class_accuracy": lambda: class_accuracy(FOUND),
    "reliability_diagram": lambda: reliability_diagram(FOUND),
    "weight_bands": lambda: weight_bands(BANDS),
    "weight_depths": lambda: weight_depths(WeightDepths(("0",), (KindDepths("q", tuple(BANDS)),))),
    "lessons": lambda: looks(
        *zip(lesson_curve.COLOURS, lesson_curve.SYMBOLS, lesson_curve.DASHES, strict=True)
    ),
    "live_numbers": lambda: looks(*zip(live_numbers.COLOURS, live_numbers.SYMBOLS, strict=True)),
    "side_by_side": lambda: looks(*side_by_side.MARKS),
    "pareto": lambda: looks(*((colour, symbol) for _, colour, symbol in pareto.LOOKS.values())),
    "recovery_curve": lambda: looks(*recovery_curve.LINES.values()),
    "recovery_accuracy": lambda: looks(
        *zip(recovery_accuracy.COLOURS, recovery_accuracy.SYMBOLS, strict=True)
    ),
    "family_tree": lambda: looks(*((mark.colour, mark.symbol) for mark, _ in family_tree.VERDICTS.values())),
}


@pytest.mark.parametrize("name", list(FIGURES))
def test_what_has_another_meaning_looks_different_without_telling_red_from_green(name):
    assert alike(FIGURES[name]()) == []


def test_red_and_green_of_one_lightness_are_seen():
    """The negative control: to deuteranopes these two circles are one colour; a symbol tells them apart."""
    found = alike(looks(("#c8642d", "circle"), ("#82821e", "circle")))
    assert any("deuteranopia" in pair for pair in found)
    assert alike(looks(("#c8642d", "circle"), ("#82821e", "square"))) == []
    assert alike(looks(("#c8642d", "circle"), ("#82821e", "circle", "dot"))) == []
    bars = [go.Bar(x=[0], y=[1], name=name, marker={"color": name}) for name in ("#009e73", "#808080")]
    assert alike(go.Figure(bars)) and not alike(go.Figure(bars[:1]))


# --------------------------------------------------------------------------- words on cells

RANKED = Agreement("g", {"a": torch.tensor([1.0, 2, 3, 4]), "b": torch.tensor([4.0, 1, 2, 3])}, 0.5)
DROPS = {("a", 0.2): (10, 0), ("a", 0.4): (300, 0), ("b", 0.4): (120, 4)}
CELLS = {
    "confusion before": (lambda: confusion(FOUND, "before"), SHARES),
    "confusion difference": (lambda: confusion(FOUND), [step for step in CHANGES if step is not NO_CHANGE]),
    "agreement": (lambda: criteria_agreement(RANKED, "spearman"), "PuOr_r"),
    "common channels": (lambda: criteria_agreement(RANKED, "overlap"), "Cividis"),
    "sensitivity": (lambda: sensitivity([scan("channel", DROPS)]), SCALE),
}


def values(cells: go.Heatmap) -> dict[tuple[str, str], float]:
    rows = zip(cells.y, cells.z, strict=True)
    return {(x, y): z for y, row in rows for x, z in zip(cells.x, row, strict=True)}


def behind(words: go.Scatter, cells: go.Heatmap, figure: go.Figure, scale) -> list[tuple[str, float]]:
    """The ink of each word, and the contrast with its cell, read off the figure that is drawn."""
    low, high = (cells.zmin, cells.zmax) if cells.zmax is not None else (0, figure.layout.coloraxis.cmax)
    at = {
        (x, y): z for y, row in zip(cells.y, cells.z, strict=True) for x, z in zip(cells.x, row, strict=True)
    }
    places = [(at[x, y] - low) / (high - low) for x, y in zip(words.x, words.y, strict=True)]
    inks = [luminance(tuple(rgb(one))) for one in words.textfont.color]
    colours = [luminance(colour) for colour in colours_at(scale, places)]
    return [(place, contrast(one, other)) for place, one, other in zip(places, inks, colours, strict=True)]


@pytest.mark.parametrize("name", list(CELLS))
def test_words_on_cells_can_be_read(name):
    make, scale = CELLS[name]
    figure = make()
    cells, words = figure.data
    assert cells.texttemplate is None and len(words.text) > 0
    assert sorted(words.text) == sorted(word for row in cells.text for word in row if word)
    assert [place for place, found in behind(words, cells, figure, scale) if found < READABLE] == []


@pytest.mark.parametrize("scale", ["Cividis", "Cividis_r", "PuOr_r"])
def test_either_ink_reads_on_every_colour_and_plotly_s_own_does_not(scale):
    lights = [
        luminance(colour) for colour in colours_at(get_colorscale(scale), np.linspace(0, 1, 101).tolist())
    ]
    black, white = (luminance(tuple(rgb(one))) for one in INKS)
    assert min(max(contrast(black, one), contrast(white, one)) for one in lights) >= READABLE
    grey = luminance(tuple(rgb("#444444")))
    assert (
        min(max(contrast(grey, one), contrast(white, one)) for one in lights) < READABLE
    )  # negative control


def test_numbers_of_a_difference_stand_on_opaque_cells_only():
    drawn = confusion(FOUND)
    cells, words = drawn.data
    at = {
        (x, y): z for y, row in zip(cells.y, cells.z, strict=True) for x, z in zip(cells.x, row, strict=True)
    }
    strong = [abs(at[x, y]) / cells.zmax for x, y in zip(words.x, words.y, strict=True)]
    opaque = [2 * abs(place - 0.5) for place, colour in CHANGES if not colour.startswith("rgba")]
    assert strong and min(strong) >= min(opaque)
