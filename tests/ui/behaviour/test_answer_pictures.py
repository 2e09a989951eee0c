"""Pictures of answers: masks and boxes are drawn where they are, in the colour of their class."""

import torch

from explorer.studies.shown_answers import ShownAnswer
from explorer.ui.behaviour.answer_pictures import COLOURS, GAP, number_lines, over_boxes, three_pictures

GREY = torch.full((1, 8, 8), 100, dtype=torch.uint8)
SIDE = 96  # of the drawn picture: each pixel becomes 12 x 12


def test_a_mask_colours_its_pixels_alone():
    mask = torch.zeros(8, 8, dtype=torch.long)
    mask[2, 3], mask[7, 7], mask[0, 0] = 1, 2, 255  # 255 counts for nothing
    drawn = three_pictures(GREY, 1 / 255, ShownAnswer("mask", mask, torch.zeros_like(mask), mask))
    assert drawn.shape == (SIDE, 3 * SIDE + 2 * GAP, 3)
    truth, before, after = (drawn[:, k * (SIDE + GAP) :][:, :SIDE] for k in range(3))
    assert torch.equal(truth, after) and bool((before == 100).all())
    coloured = (truth != 100).any(2)
    assert (
        coloured.sum() == 2 * 12 * 12
        and bool(coloured[24:36, 36:48].all())
        and bool(coloured[84:, 84:].all())
    )
    assert truth[30, 40].tolist() == [round(0.45 * 100 + 0.55 * part) for part in COLOURS[0]]


def test_boxes_are_outlines_and_reach_no_further_than_the_picture():
    pixels = torch.full((16, 16, 3), 7, dtype=torch.uint8)
    drawn = over_boxes(pixels, torch.tensor([[1.0, 2, 4, 5, 1]]), (8, 8))
    coloured = (drawn != 7).any(2)
    assert coloured.nonzero().min(0).values.tolist() == [4, 2]
    assert coloured.nonzero().max(0).values.tolist() == [10, 8]
    assert int(coloured.sum()) == 4 * 6 and drawn[4, 2].tolist() == list(COLOURS[1])
    assert bool((pixels == 7).all())  # the given picture is not written
    outside = over_boxes(pixels, torch.tensor([[-5.0, -5, 99, 99, 0]]), (8, 8))
    assert bool((outside[0] == torch.tensor(COLOURS[0])).all()) and bool((outside[1:15, 1:15] == 7).all())


def test_numbers_are_listed():
    answer = ShownAnswer("numbers", torch.tensor([1.0]), torch.tensor([1.25]), torch.arange(6.0))
    assert number_lines(answer) == ("truth: 1", "before: 1.25", "now: 0, 1, 2, 3 …")
