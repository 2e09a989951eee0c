"""Figures: the numbers are those of the values, axes have units, nothing to show is said."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from explorer.figures import standalone, style
from explorer.figures.accuracy_curve import AXES, accuracy_curve
from explorer.figures.channel_importance import channel_importance as importance_figure
from explorer.figures.layer_costs import layer_costs, shown_layers
from explorer.figures.layer_histogram import layer_histogram
from explorer.figures.size_formats import size_formats
from explorer.figures.style import AFTER, DENSE, KEPT, NOTHING, REMOVED, STALE, subtitled
from explorer.figures.weight_distribution import weight_distribution
from explorer.figures.weight_heatmap import weight_heatmap
from explorer.inspection.distributions import (
    GroupImportance,
    WeightHistogram,
    channel_importance,
    weight_histogram,
    weight_image,
)
from explorer.values.profile import Masks
from explorer.values.recipe import Recipe
from explorer.values.report import LayerOutcome, Measurement, Report

SIZES = {"dense": 4000, "csr": 4000, "bitmask": 4000, "deflate": 3600}
SMALLER = {"dense": 2400, "csr": 2400, "bitmask": 2200, "deflate": 2000}
DENSE_MODEL = Measurement(0.92, 0.90, 0.94, 0.3, 500, 460, 1000, 1000, 4000, SIZES, {"median": 2.0})
HALF = Measurement(0.80, 0.76, 0.83, 0.7, 500, 400, 600, 500, 1000, SMALLER, {"median": 1.0})
REPORT = Report({"id": "m"}, Recipe(weights={"fc": 0.5}), DENSE_MODEL, HALF, None, (), (), {})
LIVE = replace(
    REPORT, pruned=replace(HALF, size_bytes=None, latency_ms=None, accuracy=0.85, value=0.85), stage="live"
)
OUTCOMES = (
    LayerOutcome("conv1", "conv", (8, 3, 3, 3), (4, 3, 3, 3), 216, 108, 54, 1000, 500),
    LayerOutcome("act", "other", (), (), 0, 0, 0, 0, 0),
    LayerOutcome("fc", "linear", (10, 8), (10, 4), 90, 50, 50, 80, 40),
)
WEIGHTS = {"conv1": torch.tensor([[0.1, -0.2], [0.3, 1.0]]), "fc": torch.tensor([[0.01, 0.02]])}
MASKS = Masks({}, {"conv1": torch.tensor([[False, True], [True, True]])})
HISTOGRAM = weight_histogram(WEIGHTS, bins=4, masks=MASKS)
(GROUP,) = channel_importance(
    {"layer1": torch.tensor([3.0, 1.0, 2.0])}, {"layer1": torch.tensor([True, False, True])}
)
EMPTY_HISTOGRAM = WeightHistogram((0.0, 1.0), "linear", ())

FULL = {
    "accuracy_curve": lambda: accuracy_curve([REPORT], REPORT),
    "weight_distribution": lambda: weight_distribution(HISTOGRAM),
    "layer_histogram": lambda: layer_histogram(HISTOGRAM, "conv1"),
    "channel_importance": lambda: importance_figure(GROUP, "l1"),
    "weight_heatmap": lambda: weight_heatmap(weight_image(WEIGHTS["conv1"]), "conv1"),
    "layer_costs": lambda: layer_costs(OUTCOMES),
    "size_formats": lambda: size_formats(REPORT),
}
EMPTY = {
    "accuracy_curve": lambda: accuracy_curve([]),
    "weight_distribution": lambda: weight_distribution(EMPTY_HISTOGRAM),
    "layer_histogram": lambda: layer_histogram(EMPTY_HISTOGRAM, "conv1"),
    "channel_importance": lambda: importance_figure(None, "l1"),
    "weight_heatmap": lambda: weight_heatmap(None, "conv1"),
    "layer_costs": lambda: layer_costs([]),
    "size_formats": lambda: size_formats(None),
}


def trace(figure: go.Figure, name: str):
    (found,) = [trace for trace in figure.data if trace.name == name]
    return found


# --------------------------------------------------------------------------- laws of all figures


@pytest.mark.parametrize("name", list(FULL))
def test_a_figure_has_data_a_title_and_titled_axes(name):
    figure = FULL[name]()
    assert len(figure.data) and len(figure.layout.title.text) > 15
    assert figure.layout.xaxis.title.text and figure.layout.yaxis.title.text
    assert not figure.layout.annotations


@pytest.mark.parametrize("name", list(EMPTY))
def test_an_empty_input_draws_an_empty_titled_figure(name):
    figure = EMPTY[name]()
    assert not figure.data and figure.layout.annotations[0].text == NOTHING
    assert figure.layout.title.text and figure.layout.xaxis.title.text and figure.layout.yaxis.title.text


@pytest.mark.parametrize("name", list(FULL))
def test_the_background_is_clear_and_no_colour_of_text_is_fixed(name):
    figure = FULL[name]()
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0, 0, 0, 0)"
    written = figure.to_json()
    assert '"font"' not in written and '"template":{"data":{"scatter":[{"type":"scatter"}]}}' in written


@pytest.mark.parametrize("name", list(FULL))
def test_the_same_value_gives_the_same_figure(name):
    assert FULL[name]().to_json() == FULL[name]().to_json()


def contrast(colour: str, background: str) -> float:
    def luminance(text):
        parts = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(weight * p for weight, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = sorted((luminance(colour), luminance(background)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colour", [KEPT, REMOVED, AFTER, DENSE])
def test_colours_read_on_light_and_dark(colour):
    assert contrast(colour, "#ffffff") >= 3 and contrast(colour, "#0e1117") >= 3
    assert contrast("#ffff00", "#ffffff") < 3


EVIL = "<b>%{x}</b>&"


def test_foreign_names_are_no_markup():
    weights, (group,) = {EVIL: WEIGHTS["conv1"]}, channel_importance({EVIL: torch.tensor([1.0])}, {})
    histogram = weight_histogram(weights, bins=4)
    figures = (
        weight_distribution(histogram),
        layer_histogram(histogram, EVIL),
        importance_figure(group, EVIL, EVIL),
        weight_heatmap(weight_image(weights[EVIL]), EVIL),
        layer_costs([replace(OUTCOMES[0], name=EVIL)]),
    )
    for figure in figures:
        written = str(figure.to_dict())
        assert "&lt;b&gt;% {x}" in written and "<b>" not in written and "%{x}<" not in written


# --------------------------------------------------------------------------- accuracy_curve


def test_the_curve_shows_fractions_accuracy_and_intervals():
    figure = accuracy_curve([REPORT, LIVE], REPORT)
    curve = trace(figure, "this recipe, weaker and stronger")
    assert list(curve.x) == [60, 60] and list(curve.y) == pytest.approx([80, 85])
    assert curve.error_y.array[0] == pytest.approx(3) and curve.error_y.arrayminus[0] == pytest.approx(4)
    assert list(curve.customdata[0][:4]) == pytest.approx([600, 76, 83, 500])
    dense, own = trace(figure, "dense model"), trace(figure, "your recipe")
    assert list(dense.x) == [100] and list(dense.y) == pytest.approx([92])
    assert own.marker.symbol == "star" and list(own.x) == [60]


@pytest.mark.parametrize(
    ("axis", "left"), [("params", 60), ("nonzero_params", 50), ("macs", 25), ("size", 55), ("latency", 50)]
)
def test_each_axis_reads_its_own_amount(axis, left):
    figure = accuracy_curve([REPORT], axis=axis)
    assert figure.data[0].x[0] == pytest.approx(left)
    assert AXES[axis][0] in figure.layout.title.text and figure.layout.xaxis.title.text.endswith(
        "(% of the dense model)"
    )
    assert figure.layout.yaxis.title.text == "Accuracy (%)"


def test_points_are_sorted_and_those_not_measured_are_left_out():
    weaker = replace(REPORT, pruned=replace(HALF, params=900))
    unmeasured = replace(REPORT, pruned=replace(HALF, accuracy=None, value=None))
    assert list(accuracy_curve([weaker, unmeasured, REPORT]).data[0].x) == [60, 90]
    assert [t.name for t in accuracy_curve([LIVE], LIVE, "latency").data] == ["dense model"]


def test_a_stale_curve_is_grey_and_says_so():
    figure = accuracy_curve([REPORT], REPORT, stale=True)
    assert figure.data[0].marker.color == STALE and "measured again" in figure.layout.title.text
    assert trace(figure, "your recipe").marker.color == AFTER


# --------------------------------------------------------------------------- weights


def test_boxes_are_the_quantiles_and_thresholds_what_is_removed():
    figure = weight_distribution(HISTOGRAM)
    box, cut = figure.data
    assert list(box.y) == ["conv1", "fc"]
    assert list(box.median) == pytest.approx([0.3, 0.01]) and list(box.upperfence) == pytest.approx(
        [1.0, 0.02]
    )
    assert list(cut.y) == ["conv1"] and list(cut.x) == pytest.approx([0.1])
    assert figure.layout.xaxis.type == "log"


def test_the_histogram_of_a_layer_adds_up():
    figure = layer_histogram(HISTOGRAM, "conv1")
    kept, removed = trace(figure, "kept"), trace(figure, "removed")
    assert list(kept.y) == [1, 1, 0, 1] and list(removed.y) == [1, 0, 0, 0]
    assert list(kept.x) == [0, 0.25, 0.5, 0.75] and list(kept.width) == [0.25] * 4
    assert figure.layout.shapes[0].x0 == pytest.approx(0.1)


def test_an_unpruned_layer_has_no_removed_bars():
    figure = layer_histogram(HISTOGRAM, "fc")
    assert [t.name for t in figure.data] == ["kept"] and not figure.layout.shapes


def test_figures_carry_bins_and_not_weights():
    weights = {"a": torch.randn(1000, 1000, generator=torch.Generator().manual_seed(0))}
    histogram = weight_histogram(weights, scale="log")
    assert len(weight_distribution(histogram).to_json()) < 8_000
    assert len(layer_histogram(histogram, "a").to_json()) < 12_000
    assert weight_heatmap(weight_image(weights["a"]), "a").data[0].z.size <= 256 * 256


def test_the_heat_map_has_outputs_down_and_real_positions():
    figure = weight_heatmap(weight_image(torch.arange(15.0).view(3, 5), max_side=2), "fc")
    (picture,) = figure.data
    assert np.allclose(picture.z, [[21 / 6, 6], [11, 13.5]]) and picture.z.dtype == np.float32
    assert (picture.x0, picture.dx, picture.y0, picture.dy) == (1, 3, 0.5, 2)
    assert "mean of 2 x 3 weights" in figure.layout.title.subtitle.text
    assert figure.layout.yaxis.autorange == "reversed"
    assert weight_heatmap(weight_image(WEIGHTS["conv1"]), "conv1").layout.title.subtitle.text is None


# --------------------------------------------------------------------------- channels, costs, sizes


def test_importance_is_sorted_with_the_cut_behind_the_last_kept():
    figure = importance_figure(GROUP, "l1", "head")
    kept, removed = trace(figure, "kept"), trace(figure, "removed")
    assert (list(kept.x), list(kept.y), list(kept.customdata)) == ([1, 2], [3, 2], [0, 2])
    assert (list(removed.x), list(removed.y), list(removed.customdata)) == ([3], [1], [1])
    assert figure.layout.shapes[0].x0 == 2.5 and removed.marker.color == REMOVED
    assert re.match(r"Heads", figure.layout.xaxis.title.text) and "l1" in figure.layout.yaxis.title.text


def test_what_was_chosen_by_hand_is_hatched():
    figure = importance_figure(GROUP, "l1", by_hand=(1, 2))
    assert [(bars.name, list(bars.customdata), bars.marker.pattern.shape) for bars in figure.data] == [
        ("kept", [0], ""),
        ("kept by hand", [2], "/"),
        ("removed by hand", [1], "/"),
    ]


def test_a_whole_group_has_no_cut():
    figure = importance_figure(GroupImportance("g", (0, 1), (2.0, 1.0), (True, True)), "l1")
    assert not figure.layout.shapes and len(figure.data) == 1


def test_costs_before_and_after_on_two_axes():
    figure = layer_costs(OUTCOMES)
    by_axis = {(t.xaxis, t.name): (list(t.y), list(t.x)) for t in figure.data}
    names = ["conv1", "fc"]
    assert by_axis == {
        ("x", "before"): (names, [216, 90]),
        ("x", "after"): (names, [108, 50]),
        ("x", "after, non-zero"): (names, [54, 50]),
        ("x2", "before"): (names, [1000, 80]),
        ("x2", "after"): (names, [500, 40]),
    }
    assert figure.layout.xaxis2.title.text == "MACs per sample"


def test_costs_leave_out_norms_and_the_small_ones_of_many_and_say_so():
    conv, _, fc = OUTCOMES
    norm = replace(
        conv, name="bn", kind="norm", params=14, pruned_params=14, nonzero_params=14, macs=0, pruned_macs=0
    )
    figure = layer_costs([conv, norm, fc])
    assert list(figure.data[0].y) == ["conv1", "fc"]
    assert figure.layout.title.subtitle.text == "the norms are left out; shown: 95.6 % of the parameters"
    many = [replace(conv, name=f"conv{place}", params=216 if place % 2 else 1) for place in range(120)]
    layers, words = shown_layers(many)
    assert [layer.name for layer in layers] == [
        f"conv{place}" for place in range(1, 120, 2)
    ] and "60 largest of 120" in words
    assert layer_costs(OUTCOMES).layout.title.subtitle.text is None
    whole = [replace(layer, nonzero_params=layer.pruned_params) for layer in OUTCOMES]
    assert {trace.name for trace in layer_costs(whole).data} == {"before", "after"}


def test_a_figure_alone_is_a_titled_page_that_takes_its_colours_from_the_readers_theme():
    text = standalone.page(layer_costs(OUTCOMES), "layers", "a <b> model")
    assert "<title>a &lt;b&gt; model, Where parameters" in text and text.count("<!doctype html>") == 1
    assert (
        "prefers-color-scheme: dark" in text
        and "@media print" in text
        and "http" not in text.partition("</head>")[0]
    )


def test_sizes_in_each_format_that_was_measured():
    dense, pruned = size_formats(REPORT).data
    assert list(dense.y) == [4000, 4000, 4000, 3600] and list(pruned.y) == [2400, 2400, 2200, 2000]
    quick = replace(REPORT, pruned=replace(HALF, size_bytes={"dense": 2400}))
    assert list(size_formats(quick).data[1].y) == [2400]
    assert [t.name for t in size_formats(LIVE).data] == ["dense model"]


# with no legend, or with a margin of their own
WITHOUT_LEGEND = {"style.py", "confusion.py", "weight_pattern.py", "weight_heatmap.py", "side_by_side.py"}


def test_a_line_below_the_title_has_room_above_the_legend():
    """It was written across the legend where both are there. The control is a figure without that line."""
    plain = style.figure("title", "x", "y")
    assert subtitled(style.figure("title", "x", "y"), "below").layout.margin.t >= plain.layout.margin.t + 20
    files = Path(style.__file__).parent.glob("*.py")
    assert {file.name for file in files if "title_subtitle_text" in file.read_text()} == WITHOUT_LEGEND
