"""Boxes outside their pictures are noticed."""

import pytest
import torch
from torch import nn

from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.graph.analysed import analyse
from explorer.measuring.outside_boxes import outside_boxes
from explorer.values.recipe import Recipe
from explorer.values.samples import Split
from explorer.values.subject import Subject, Task

INSIDE, RIGHT, ABOVE, NONE = [1, 1, 9, 5, 0], [12, 1, 14, 3, 1], [1, -9, 3, -1, 0], [99, 99, 100, 100, -1]


def split_with(*boxes):
    return Split(torch.zeros(2, 3, 8, 12), torch.tensor([[INSIDE, *boxes]] * 2).float())


@pytest.mark.parametrize(
    ("odd", "box"), [(RIGHT, "12, 1, 14, 3"), (ABOVE, "1, -9, 3, -1")], ids=["right", "above"]
)
def test_a_box_without_a_part_inside_is_told(odd, box):
    told = outside_boxes("detection_f1", split_with(odd))
    assert "2 of 4 true boxes of the first 2 samples lie outside their pictures of 12 x 8 pixels" in told
    assert f"such as {box};" in told


def test_negative_control_boxes_inside_or_of_no_object_are_no_news():
    assert outside_boxes("detection_f1", split_with(NONE, [-2, -2, 3, 3, 1], [8, 5, 13, 9, 1])) is None
    assert outside_boxes("detection_f1", Split(torch.zeros(2, 7), split_with(RIGHT).targets)) is None


def test_the_same_samples_are_looked_at_once(monkeypatch):
    looked, data = [], split_with(RIGHT)
    inputs_at = Split.inputs_at
    monkeypatch.setattr(Split, "inputs_at", lambda *args: looked.append(args) or inputs_at(*args))
    assert outside_boxes("detection_f1", data) == outside_boxes("detection_f1", data)
    assert len(looked) == 1


class Detector(nn.Module):
    """One box for each picture."""

    def __init__(self):
        super().__init__()
        self.body, self.box = nn.Conv2d(3, 4, 3), nn.Linear(4, 6)

    def forward(self, x):
        return self.box(self.body(x).relu().mean((2, 3)))[:, None]


@pytest.mark.parametrize("metric", ["detection_f1", ("mean_average_precision", "cosine_similarity")])
def test_the_report_says_it(metric):
    for boxes, is_told in (((RIGHT,), True), ((), False)):
        data = split_with(*boxes)
        task = Task("boxes", (3, 8, 12), data={"tuning": data}, metric=metric)
        subject = Subject("boxes", "boxes", Detector().eval(), task, data.inputs)
        report = prune(analyse(subject), Recipe(channels={"body": 0.5}), Conditions(latency=False))
        assert any("outside their pictures" in note for note in report.notes) == is_told
