"""Numbers and changes in words, which nobody takes apart again."""

import ast
from pathlib import Path

import pytest

import explorer
from explorer.measuring.number_words import (
    accuracy_words,
    change_words,
    format_drop,
    format_measured,
    measured_words,
)
from explorer.values.report import Drop, Measurement

MILLIMETRES = Drop(-0.031, -0.05, -0.012, "different", 0.95, "mae", "mm", "lower", 0.02)


def test_accuracy_in_words():
    assert accuracy_words(1868, 2048, 5000).text == "91.2 % (89.9 to 92.4), 2,048 of 5,000"
    assert accuracy_words(10, 10, 10).text == "100.0 % (72.2 to 100.0), 10 of 10"


@pytest.mark.parametrize(
    ("drop", "text"),
    [
        (Drop(0.02, 0.007, 0.033, "different"), "-2.0 points (-3.3 to -0.7), worse beyond noise"),
        (Drop(-0.02, -0.033, -0.007, "different"), "+2.0 points (+0.7 to +3.3), better beyond noise"),
        (
            Drop(0.004, 0.002, 0.006, "different"),
            "-0.4 points (-0.6 to -0.2), worse beyond noise, by less than 1 point",
        ),
        (
            Drop(0.0, -0.004, 0.004, "equivalent"),
            "0.0 points (-0.4 to +0.4), no difference beyond noise; if there is one, it is below 1 point",
        ),
        (
            Drop(0.01, -0.005, 0.024, "undecided"),
            "-1.0 points (-2.4 to +0.5), no difference beyond noise so far; more samples may show one",
        ),
        (Drop(0.002, 0.0002, 0.015, "different"), "-0.20 points (-1.50 to -0.02), worse beyond noise"),
    ],
)
def test_the_drop_in_words_is_the_change_on_screen(drop, text):
    assert format_drop(drop) == text


def test_the_words_name_the_delta_that_was_used():
    drop = Drop(0.0, -0.004, 0.004, "equivalent", margin=0.005)
    assert change_words(drop).verdict.endswith("if there is one, it is below 0.5 points")


def test_the_parts_of_a_change():
    words = change_words(Drop(0.02, 0.007, 0.033, "different"))
    assert words == ("-2.0", "points", "-3.3 to -0.7", "worse beyond noise")
    assert (words.amount, words.interval) == ("-2.0 points", "-2.0 points (-3.3 to -0.7)")
    assert words.short == "-2.0 (-3.3 to -0.7)"  # in a column of points
    assert change_words(MILLIMETRES).short == "+0.031 mm (+0.012 to +0.050)"
    assert change_words(Drop(0.1, 0.05, 0.15, "different", 0.95, "r2", "")).amount == "-0.10"


def test_what_was_not_measured_has_no_words():
    assert measured_words(Measurement(), 10) is None and format_measured(Measurement(), 10) == "not measured"
    half = Measurement(metric="accuracy", value=0.5, low=0.4, high=0.6, unit="%", samples=10)
    words = measured_words(half, 1000)
    assert words == ("50.0 %", "40.0 to 60.0", "10 of 1,000") and words.text == format_measured(half, 1000)


# --------------------------------------------------------------------------- nobody takes them apart

APART = {"partition", "rpartition", "split", "rsplit", "replace", "removeprefix", "removesuffix"}


def taken_apart(source: str) -> list[int]:
    """Lines that take the text of a number apart."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and node.attr in APART
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func).startswith("format_")
    ]


def test_no_text_of_a_number_is_taken_apart():
    files = Path(explorer.__file__).parent.rglob("*.py")
    assert [(file.name, line) for file in files for line in taken_apart(file.read_text("utf-8"))] == []


def test_a_text_that_is_taken_apart_is_seen():
    assert taken_apart("x = 1\ny = format_drop(drop).partition(', ')[0]") == [2]
    assert (
        taken_apart("y = format_measured(a, b).split(', ')[0]") == [1]
        and taken_apart("change_words(d).short") == []
    )
