"""Figures of behaviour and the gallery: the numbers are those of the values, foreign names are no markup."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from behaviours import FOUND, says
from PIL import Image

from explorer.figures.class_accuracy import class_accuracy, shown_classes
from explorer.figures.confusion import confusion
from explorer.figures.reliability_diagram import reliability_diagram
from explorer.figures.style import NOTHING, REMOVED, STALE
from explorer.studies.behaviour import Behaviour, behaviour
from explorer.ui.drawing import gallery
from explorer.ui.drawing.png import data_uri, is_picture, pixels_of, png

EVIL = "<script>alert(1)</script>%{x}"


def many(classes: int) -> Behaviour:
    """Ten samples a class; class k loses k % 7 of them."""
    targets = torch.arange(classes).repeat_interleave(10)
    after = targets.clone().view(classes, 10)
    for k in range(classes):
        after[k, : k % 7] = (k + 1) % classes
    names = [f"c{k}" for k in range(classes)]
    return behaviour(says(targets.tolist()), says(after.flatten().tolist()), targets, names, 10 * classes)


def trace(figure, name):
    (found,) = [trace for trace in figure.data if trace.name == name]
    return found


def test_accuracy_of_classes_before_and_after():
    figure = class_accuracy(FOUND)
    assert list(trace(figure, "before").x) == pytest.approx([200 / 3, 200 / 3])
    assert list(trace(figure, "after").x) == pytest.approx([200 / 3, 100 / 3])
    changes = trace(figure, "may be noise")
    assert list(changes.x) == pytest.approx([0, -100 / 3]) and changes.marker.color == STALE
    cat, dog = FOUND.classes
    ends = [x + e for x, e in zip(changes.x, changes.error_x.array, strict=True)]
    assert ends == pytest.approx([-100 * cat.drop.low, -100 * dog.drop.low])


def test_the_scale_of_accuracy_is_whole_unless_every_class_is_far_above_half():
    assert class_accuracy(FOUND).layout.xaxis.range == (-3, 103)
    good = behaviour(
        says([0] * 50), says([0] * 45 + [1] * 5), torch.zeros(50, dtype=torch.long), ("cat", "dog"), 50
    )
    assert class_accuracy(good).layout.xaxis.range == (48.5, 101.5)


def test_a_class_beyond_noise_is_marked():
    targets = torch.zeros(50, dtype=torch.long)
    figure = class_accuracy(behaviour(says([0] * 50), says([1] * 40 + [0] * 10), targets, ("cat", "dog"), 50))
    assert trace(figure, "beyond noise").marker.color == REMOVED and not [
        t for t in figure.data if t.name == "may be noise"
    ]


def test_of_many_classes_those_that_changed_most_are_drawn_and_it_says_so():
    shown = shown_classes(many(100))
    assert len(shown) == 40 and {change.number % 7 for change in shown} == {4, 5, 6}
    assert "40 of 100" in class_accuracy(many(100)).layout.title.subtitle.text
    figure = confusion(many(100), "after")
    assert figure.data[0].z.shape == (30, 30) and "30 of 100" in figure.layout.title.subtitle.text
    assert figure.data[0].text is None and confusion(FOUND).data[0].text is not None


@pytest.mark.parametrize(
    ("which", "counts"),
    [("before", [[2, 1], [0, 2]]), ("after", [[2, 1], [1, 1]]), ("difference", [[0, 0], [1, -1]])],
)
def test_confusions_are_counted(which, counts):
    cells, _ = confusion(FOUND, which).data
    shares = np.array(counts) / 3 * 100
    assert cells.customdata[..., 0].tolist() == counts and cells.customdata[..., 1] == pytest.approx(shares)
    worse = shares * [[-1, 1], [1, -1]] if which == "difference" else shares
    assert cells.z == pytest.approx(worse)  # a right answer that was lost is as bad as a new confusion


def test_the_difference_of_nothing_is_blank():
    same = behaviour(says([0, 1]), says([0, 1]), torch.tensor([0, 1]), ("a", "b"), 2)
    assert {cell for row in confusion(same).data[0].text for cell in row} == {""}


def test_numbers_stand_in_strong_cells_only():
    """A pale cell lets the page shine through, so its number is left to the hover."""
    targets = torch.tensor([0] * 20 + [1, 2])
    before, after = says([0] * 20 + [1, 2]), says([1] * 10 + [2] + [0] * 9 + [1, 2])
    found = behaviour(before, after, targets, ("a", "b", "c"), 22)
    assert list(confusion(found).data[0].text[0]) == ["-11", "+10", ""]
    assert list(confusion(found, "after").data[0].text[0]) == ["9", "10", "1"]


def test_reliability_has_a_point_a_filled_bin_and_one_line_where_both_models_are_one():
    figure = reliability_diagram(FOUND)
    assert list(trace(figure, "before").x) == pytest.approx([90]) and list(trace(figure, "after").y) == [50]
    same = behaviour(says([0, 1]), says([0, 1]), torch.tensor([0, 1]), ("a", "b"), 2)
    assert [t.name for t in reliability_diagram(same).data] == ["honest", "before"]


@pytest.mark.parametrize("draw", [class_accuracy, confusion, reliability_diagram])
def test_nothing_measured_is_said(draw):
    figure = draw(None)
    assert not figure.data and figure.layout.annotations[0].text == NOTHING and figure.layout.xaxis.title.text


@pytest.mark.parametrize("draw", [class_accuracy, confusion, reliability_diagram])
def test_no_colour_of_text_is_fixed_and_names_are_no_markup(draw):
    evil = behaviour(says([0, 1]), says([1, 1]), torch.tensor([0, 1]), (EVIL, "b"), 2)
    written = draw(evil).to_json()
    assert '"font"' not in written and "<script>" not in written and "%{x}</extra>" not in written


# --------------------------------------------------------------------------- pictures


def opened(file: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(file)))


@pytest.mark.parametrize("shape", [(5, 3), (4, 6, 3)])
def test_a_png_holds_the_pixels(shape):
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert (opened(png(pixels)) == pixels.numpy()).all()
    assert base64.b64decode(data_uri(pixels).partition(",")[2]) == png(pixels)


def test_samples_become_pixels():
    assert pixels_of(torch.tensor([[[0, 16]]], dtype=torch.uint8), 1 / 16).tolist() == [[0, 255]]
    assert pixels_of(torch.tensor([[[-2.0, 0.0, 2.0]]]), 1.0).tolist() == [[0, 128, 255]]
    colour = torch.zeros(3, 2, 4, dtype=torch.uint8)
    colour[1] = 255
    assert pixels_of(colour, 1 / 255)[0, 0].tolist() == [0, 255, 0]
    assert pixels_of(torch.zeros(3, 300, 200), 1.0, side=60).shape == (60, 40, 3)
    assert (
        is_picture((1, 8, 8))
        and is_picture((3, 4, 4))
        and not is_picture((64,))
        and not is_picture((5, 8, 8))
    )


def test_the_gallery_escapes_names_and_holds_a_picture_a_flip():
    pictures = [torch.zeros(1, 4, 4, dtype=torch.uint8)] * len(FOUND.flips)
    text = gallery.flips(FOUND.flips, pictures, 1 / 255, lambda number: EVIL)
    assert (
        text.count("data:image/png;base64,") == len(FOUND.flips)
        and "<script>" not in text
        and "&lt;script&gt;" in text
    )
    assert "<img" not in gallery.flips(FOUND.flips, None, 1.0, FOUND.name)
    assert len(re.findall("<figure>", text)) == len(FOUND.flips)
    assert 'class="frame crossed"' in gallery.tile(pictures[0][0], ["a"], crossed=True)
