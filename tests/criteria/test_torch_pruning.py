"""Importances of Torch-Pruning, where it has ours: its figures stand here, and are asked for again where it
is installed.
"""

import pytest
import torch
from calibrated import subject_of
from torch import nn
from torch.nn import functional

from explorer.allocators.lamp import shares
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import graph_of
from explorer.pruning.decision import scores_for
from explorer.registry import CRITERIA
from explorer.signals.calibration import Calibration
from explorer.signals.collection import signals_of
from explorer.values.choice import Choice
from explorer.values.recipe import Recipe

# what Torch-Pruning 1.6.1 says of the channels of conv1 below
FIGURES = {
    "l1": [4.96697, 5.79571, 5.76086, 5.50456, 6.32896, 4.78362],
    "l2": [1.21401, 1.58467, 1.56704, 1.34205, 1.6383, 1.17505],
    "bn_scale": [0.298566, 0.321044, 0.178534, 0.295474, 0.166879, 0.257063],
    "fpgm": [3.87462, 3.97661, 3.83433, 3.61871, 3.51647, 3.7976],
    "snip": [0.0267969, 0.0172894, 0.0177349, 0.0165131, 0.00670423, 0.0113539],
    "gate of taylor": [0.00103307, 0.00720841, 0.00303981, 0.00364196, 0.00036367, 0.00159569],
    "fisher": [0.000304385, 0.000294169, 0.000392841, 0.000619136, 9.42045e-06, 0.000260389],
    "lamp": [0.0822014, 1.0, 0.0200215, 0.0735032, 0.0169653, 0.320714],
}


class Pair(nn.Module):
    """Two convolutions with a norm between them; its numbers are sines, the same on every machine."""

    def __init__(self):
        super().__init__()
        self.conv1, self.norm, self.conv2 = (
            nn.Conv2d(3, 6, 3, bias=False),
            nn.BatchNorm2d(6),
            nn.Conv2d(6, 5, 3, bias=False),
        )
        self.fc = nn.Linear(5, 4)
        with torch.no_grad():
            for place, parameter in enumerate(self.parameters(), 2):
                parameter.copy_(sines(parameter.shape, place) / 3)

    def forward(self, x):
        return self.fc(torch.relu(self.conv2(torch.relu(self.norm(self.conv1(x))))).mean((2, 3)))


def sines(shape, step):
    count = torch.arange(1, torch.Size(shape).numel() + 1, dtype=torch.float64)
    return torch.sin(count.square() * (0.37 * step)).reshape(shape).float()


def pair(samples=12, absolute=False):
    model = Pair()
    if (
        absolute
    ):  # their distances are between magnitudes, which is the paper's only where no weight is negative
        model.conv1.weight.data.abs_()
    return subject_of(model, 2 * sines((samples, 3, 8, 8), 0.37))


# --------------------------------------------------------------------------- ours


def rated(name, subject):
    return scores_for(analyse(subject), Recipe(criterion=Choice(name))).channels["conv1"]


def gate(subject):
    """The derivative by a gate on all that reads a channel."""
    graph = graph_of(subject)
    signals = signals_of(Analysed(subject, graph), CRITERIA["taylor"], how=Calibration(batch=12))
    return signals(graph.profile.prunable_layers["conv1"]).signal("gate_gradient").abs()


OURS = {
    "l1": lambda: rated("l1", pair()),
    "l2": lambda: rated("l2", pair()),
    "bn_scale": lambda: rated("bn_scale", pair()),
    "fpgm": lambda: rated("fpgm", pair(absolute=True)),
    "snip": lambda: rated("snip", pair()),
    "gate of taylor": lambda: gate(pair()),
    "fisher": lambda: (
        2 * rated("fisher", pair(samples=1))
    ),  # of several samples, theirs keeps the last one's square only
    "lamp": lambda: shares(sines((6,), 1)),
}


@pytest.mark.parametrize("name", list(OURS))
def test_ours_is_what_torch_pruning_says(name):
    expected = torch.tensor(FIGURES[name])
    torch.testing.assert_close(OURS[name]().float(), expected, rtol=2e-4, atol=2e-4 * float(expected.max()))
    assert len(set(FIGURES[name])) == 6, "six channels that are told apart"


# --------------------------------------------------------------------------- theirs


def theirs(pruning, importance, subject, gradients=False):
    """Their importance of the channels of conv1, on a copy."""
    model = Pair().eval()
    model.load_state_dict(subject.model.state_dict())
    if gradients:
        data = subject.task.split("training")
        functional.cross_entropy(model(data.inputs), data.targets).backward()
        if hasattr(importance, "accumulate_grad"):
            importance.accumulate_grad(model)
    graph = pruning.DependencyGraph().build_dependency(model, example_inputs=subject.example)
    return importance(
        graph.get_pruning_group(model.conv1, pruning.prune_conv_out_channels, idxs=list(range(6)))
    )


def asked(pruning):
    """The figures anew."""
    tool, first = pruning.importance, {"group_reduction": "first", "normalizer": None}
    readers = tool.GroupTaylorImportance(
        group_reduction=None, normalizer=None, multivariable=True, target_types=[nn.Conv2d]
    )
    return {
        "l1": theirs(pruning, tool.GroupMagnitudeImportance(p=1, **first), pair()),
        "l2": theirs(pruning, tool.GroupMagnitudeImportance(p=2, **first), pair()),
        "bn_scale": theirs(pruning, tool.BNScaleImportance(group_reduction="mean", normalizer=None), pair()),
        "fpgm": theirs(pruning, tool.FPGMImportance(p=1, **first), pair(absolute=True)),
        "snip": theirs(pruning, tool.GroupTaylorImportance(**first), pair(), gradients=True),
        "gate of taylor": theirs(pruning, readers, pair(), gradients=True)[1],
        "fisher": theirs(pruning, tool.GroupHessianImportance(**first), pair(samples=1), gradients=True),
        "lamp": tool.LAMPImportance()._lamp(sines((6,), 1).square()),
    }


def test_an_installed_torch_pruning_says_the_same_as_here():
    pruning = pytest.importorskip(
        "torch_pruning", reason="torch-pruning is not installed; its figures above were taken before"
    )
    for name, figures in asked(pruning).items():
        torch.testing.assert_close(
            figures.detach().float(), torch.tensor(FIGURES[name]), rtol=2e-4, atol=1e-6
        )
