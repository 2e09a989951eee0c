"""Figures of curves and scans: the numbers are those of the values, controls and gaps are told apart, nothing
is said.
"""

from dataclasses import replace

import pytest

from explorer.figures.curve_comparison import COLOURS, curve_comparison
from explorer.figures.live_marks import with_live_marks
from explorer.figures.sensitivity import sensitivity
from explorer.figures.style import NOTHING, STALE
from explorer.measuring.statistics import paired_drop
from explorer.registry import METRICS
from explorer.studies.sensitivity.additivity import Additivity
from explorer.studies.sensitivity.stopping import reach
from explorer.studies.sensitivity.values import Scan, ScanPlan, SensitivityPoint
from explorer.tables import labelled, scans, to_csv
from explorer.ui.prune.sensitivity_curves import words
from explorer.values.recipe import Recipe
from explorer.values.report import Measurement, Report
from explorer.words import LABELS

DENSE = Measurement(0.92, 0.90, 0.94, 0.3, 500, 460, 1000, 1000, 4000, {"bitmask": 4000}, {"median": 2.0})
HALF = Measurement(0.80, 0.76, 0.83, 0.7, 500, 400, 600, 500, 1000, {"bitmask": 2200}, {"median": 1.0})
REPORT = Report({"id": "m"}, Recipe(weights={"fc": 0.5}), DENSE, HALF, None, (), (), {})
WHOLE = replace(REPORT, pruned=DENSE)


def trace(figure, name):
    (found,) = [trace for trace in figure.data if trace.name == name]
    return found


def test_lines_keep_their_colour_and_controls_are_dashed_in_the_same():
    lines = {"channels": [REPORT, WHOLE], "weights": [WHOLE], "channels: at random": [REPORT]}
    figure = curve_comparison(lines, REPORT, "nonzero_params", controls=["channels: at random"])
    channels, control = trace(figure, "channels"), trace(figure, "channels: at random")
    assert list(channels.x) == [50, 100] and list(channels.y) == pytest.approx([80, 92])
    assert channels.line.color == control.line.color == COLOURS[0] != trace(figure, "weights").line.color
    assert (channels.line.dash, control.line.dash) == (
        "solid",
        "dot",
    ) and control.marker.symbol == "circle-open"
    assert trace(figure, "your recipe").marker.symbol == "star" and list(trace(figure, "dense model").x) == [
        100
    ]


@pytest.mark.parametrize(("axis", "left"), [("params", 60), ("macs", 25), ("size", 55), ("latency", 50)])
def test_each_axis_reads_its_own_amount(axis, left):
    assert list(curve_comparison({"a": [REPORT]}, axis=axis).data[0].x) == pytest.approx([left])


def test_lines_of_another_question_are_grey_and_say_so():
    figure = curve_comparison({"a": [REPORT]}, stale=True)
    assert figure.data[0].line.color == STALE and "measured again" in figure.layout.title.text


def test_without_points_a_sentence_stands_in_the_figure():
    assert curve_comparison({}).layout.annotations[0].text == NOTHING
    assert sensitivity([]).layout.annotations[0].text == NOTHING


def test_foreign_names_are_no_markup():
    assert "<b>" not in str(curve_comparison({"<b>%{x}</b>": [REPORT]}).to_dict())
    assert "<b>" not in str(sensitivity([scan("channel", {("<b>x</b>", 0.2): (10, 0)})]).to_dict())


# --------------------------------------------------------------------------- scans


def scan(granularity, points) -> Scan:
    """(part, ratio) -> (worse, better) of 1,000."""
    measured = tuple(
        SensitivityPoint(
            part,
            granularity,
            ratio,
            ratio,
            0,
            1000,
            paired_drop(b, c, 1000),
            reach(b, c, 1000, 1000),
            b,
            c,
            0,
            0,
            True,
        )
        for (part, ratio), (b, c) in points.items()
    )
    return Scan({}, ScanPlan(granularity, (0.2, 0.4), None), Measurement(), measured, 1000, 4)


def test_cells_are_drops_in_points_and_gaps_stay_empty():
    figure = sensitivity([scan("channel", {("a", 0.2): (10, 0), ("a", 0.4): (300, 0), ("b", 0.4): (2, 4)})])
    cells, _ = figure.data
    assert list(cells.x) == ["20 %", "40 %"] and list(cells.y) == ["a", "b"]
    assert [list(row) for row in cells.z] == [
        [pytest.approx(1), pytest.approx(30)],
        [None, pytest.approx(-0.2)],
    ]
    assert [list(row) for row in cells.text] == [
        ["1", "30"],
        ["", "(0)"],
    ]  # never -0; in brackets what may be chance
    assert (
        "a real loss" in cells.customdata[0][1]
        and "not distinguishable from chance" in cells.customdata[1][1]
    )
    assert "1.0 points lost (" in cells.customdata[0][0] and "1,000 samples" in cells.customdata[0][0]
    assert cells.customdata[1][0] == "not measured yet"


def test_the_table_judges_the_points_of_a_scan_as_one_family():
    table = scans(
        [scan("channel", {("=a", 0.2): (10, 0), ("=a", 0.4): (5, 0), ("b", 0.2): (5, 0), ("b", 0.4): (0, 0)})]
    )
    assert list(table["finding"]) == ["worse", *["not distinguishable"] * 3]
    assert list(table["p_holm"]) == pytest.approx(
        [4 / 2**10, 3 / 32, 3 / 32, 1]
    )  # mid-p of 10:0 is 2^-10, of 5:0 2^-5
    alone = scans([scan("channel", {("b", 0.2): (5, 0)})])
    assert list(alone["finding"]) == ["worse"]  # the negative control: the same flips, without a family
    assert "'=a" in to_csv(table) and LABELS["finding"] in labelled(table).columns and scans([]).empty


def test_both_granularities_stand_side_by_side_on_one_scale():
    figure = sensitivity([scan("channel", {("a", 0.2): (100, 0)}), scan("weight", {("l", 0.2): (500, 0)})])
    scales = [cells.coloraxis for cells in figure.data if cells.type == "heatmap"]
    assert scales == ["coloraxis", "coloraxis"]
    assert figure.layout.coloraxis.cmax == pytest.approx(50)
    assert [a.text for a in figure.layout.annotations] == [
        "channels of each coupled group",
        "single weights of each layer",
    ]


@pytest.mark.parametrize(
    ("found", "end"),
    [
        (
            Additivity(2, 0.04, 0.30, 0.26, 0.22, 0.30, "different"),
            "together they lose 30.0: 26.0 more (22.0 to 30.0).",
        ),
        (
            Additivity(2, 0.30, 0.04, -0.26, -0.30, -0.22, "different"),
            "together they lose 4.0: 26.0 less (22.0 to 30.0).",
        ),
        (Additivity(2, 0.04, 0.04, 0.0, -0.004, 0.004, "equivalent"), "adds up within a point."),
        (Additivity(2, 0.04, 0.05, 0.01, -0.02, 0.04, "undecided"), "adds up as far as one can tell."),
    ],
)
def test_whether_single_drops_add_up_in_words(found, end):
    assert words(found).endswith(end)


# --------------------------------------------------------------------------- marks that the page moves


def test_a_curve_shows_kept_runs_and_marks_that_the_page_moves():
    curve = curve_comparison({}, REPORT, "params", kept={"a1b2 <first>": REPORT})
    drawn = with_live_marks(curve, "params", "m", METRICS["accuracy"]())
    assert [one.name for one in drawn.data] == ["kept runs", "dense model", "where you were", "your recipe"]
    assert [one.meta for one in drawn.data[2:]] == ["trail", "own"]
    kept, own = drawn.data[0], drawn.data[3]
    assert kept.text == ("a1b2 &lt;first&gt;",)
    assert list(kept.x) == list(own.x) == pytest.approx([60]) and list(own.y) == pytest.approx([80])
    assert tuple(drawn.layout.yaxis.range) == (0, 103) and drawn.layout.meta["axis"] == "params"


def test_an_axis_ends_where_its_metric_does():
    drawn = with_live_marks(curve_comparison({}), "params", "m", METRICS["cosine_similarity"]())
    assert drawn.layout.yaxis.autorangeoptions.to_plotly_json() == {"clipmin": -1.05, "clipmax": 1.05}
    drawn = with_live_marks(curve_comparison({}), "params", "m", METRICS["mae"](unit="m"))
    assert drawn.layout.yaxis.autorangeoptions.to_plotly_json() == {"clipmin": -0.05}
    assert drawn.data[0].hovertemplate.startswith("you were here: %{y:.4g}, ")


def test_before_the_first_measurement_the_axes_are_there_and_the_marks_are_empty():
    drawn = with_live_marks(curve_comparison({}), "latency", "m", replace(METRICS["mean_iou"](), unit="mm"))
    assert [(one.meta, len(one.x)) for one in drawn.data] == [("trail", 0), ("own", 0)]
    assert drawn.layout.annotations == () and drawn.layout.xaxis.showticklabels
    assert drawn.layout.title.text == "Mean IoU against latency left"
    assert drawn.layout.yaxis.title.text == "Mean IoU (mm)"
    assert drawn.layout.yaxis.range is None  # a number without an upper end finds its own
    assert not drawn.layout.yaxis.showticklabels  # and until then there is nothing to read
    empty = with_live_marks(curve_comparison({}), "params", "m", METRICS["accuracy"]())
    assert empty.layout.yaxis.showticklabels
