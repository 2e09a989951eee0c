"""Outputs that are no numbers: wrong answers, no mean loss, and a sentence that says where."""

import json
import math

import pytest
import torch
from torch import nn

from explorer.commands.printing.report_text import report_text
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.graph.analysed import analyse
from explorer.measuring.tally import judged
from explorer.studies.sensitivity.scan_log import Gain
from explorer.ui.drawing.measurement_cards import cards
from explorer.values.recipe import Recipe
from explorer.values.samples import Split
from explorer.values.subject import Subject, Task

SAMPLES, ODD = 40, 17


class Shares(nn.Module):
    """Divides by the sum of three channels, of which the second alone is not zero."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 3), nn.Linear(3, 2)
        with torch.no_grad():
            self.first.weight.copy_(torch.tensor([[0.0] * 4, [0.1] * 4, [0.0] * 4]))
            self.first.bias.copy_(torch.tensor([0.0, 1.0, 0.0]))
            self.last.weight.copy_(torch.tensor([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]]))
            self.last.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.first(x).relu()
        return self.last(found) / found.sum(1, keepdim=True)


def measured(inputs: torch.Tensor, recipe: Recipe):
    targets = torch.zeros(len(inputs), dtype=torch.long)
    split = Split(inputs, targets)
    task = Task("shares", (4,), ("a", "b"), load_split=lambda which: split)
    name = f"shares {float(inputs.nan_to_num().sum())}"
    return prune(
        analyse(Subject(name, "shares", Shares().eval(), task, inputs[:2])), recipe, Conditions(latency=False)
    )


def sound() -> torch.Tensor:
    return torch.randn(SAMPLES, 4, generator=torch.Generator().manual_seed(3)) / 100


def plain(report) -> str:
    """The report as every page and command shows it."""
    words = [report_text(report), *(note for card in cards(report) for note in card.notes)]
    return "\n".join(words).lower().replace("(nan or infinite)", "")


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_inputs_that_are_no_numbers_are_said_and_their_answers_are_wrong(odd):
    inputs = sound()
    inputs[ODD] = odd
    report = measured(inputs, Recipe(channels={"first": 0.3}, keep={"first": (0, 1)}))
    (note,) = report.notes
    assert f"for 1 of {SAMPLES} samples, from sample {ODD} on" in note and "The dense model" in note
    assert report.baseline.loss is None and report.baseline.correct < SAMPLES
    assert "nan" not in plain(report) and "inf" not in plain(report)
    json.dumps(report.to_json(), allow_nan=False)


def test_a_cut_that_loses_the_numbers_is_a_finding():
    report = measured(sound(), Recipe(remove={"first": (1,)}))
    (note,) = report.notes
    assert note.startswith("The pruned model has no loss") and "prune less" in note
    assert report.baseline.loss is not None and report.pruned.loss is None
    assert "not a number" in plain(report) and "nan" not in plain(report)
    json.dumps(report.to_json(), allow_nan=False)


def test_of_numbers_nothing_is_said():
    """The negative control."""
    report = measured(sound(), Recipe(remove={"first": (2,)}))
    assert report.notes == () and report.pruned.loss is not None


def test_an_answer_that_is_no_number_is_wrong():
    scores = torch.tensor([[math.nan, 0.0], [1.0, 0.0]])
    assert int(scores.argmax(1)[0]) == 0, "torch takes NaN for the largest"
    assert judged(scores, torch.tensor([0, 0])).correct.tolist() == [False, True]


def test_a_scan_counts_growth_where_the_dense_model_has_a_loss():
    targets = torch.tensor([0, 0])
    dense = judged(torch.tensor([[math.nan, 0.0], [1.0, 0.0]]), targets)
    lost = judged(torch.tensor([[1.0, 0.0], [math.nan, 0.0]]), targets)
    same = Gain.of(("fc", 0.5, 0.5), dense, dense).count
    assert same.loss == same.dense_loss == float(dense.losses[1])
    assert Gain.of(("fc", 0.5, 0.5), lost, dense).count.loss == math.inf
