"""Code that no graph could be made of gets its pictures in the usual order, wherever it runs."""

import copy

import pytest
import torch
from torch import nn

from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.measuring.memory_layout import in_usual_order, is_usual, laid_out
from explorer.studies.sensitivity.scan import scan
from explorer.studies.sensitivity.values import ScanPlan
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe


@pytest.mark.parametrize(
    "shape, usual_agrees",
    [((16, 1, 3, 3), False), ((8, 4, 1, 1), False), ((8, 4, 3, 3), True), ((8, 1, 1, 1), True)],
)
def test_strides_are_those_that_torch_gives_a_whole_model(shape, usual_agrees):
    out, channels, *kernel = shape
    layer = nn.Conv2d(channels, out, tuple(kernel))
    theirs = copy.deepcopy(layer).to(memory_format=torch.channels_last).weight
    ours = laid_out(copy.deepcopy(layer), "cpu").weight
    assert ours.stride() == theirs.stride()
    usual = layer.weight.contiguous(memory_format=torch.channels_last)  # the negative control
    assert (usual.stride() == theirs.stride()) == usual_agrees


BLIND = """
from torch import nn

input_shape = (3, 32, 32)


class Blind(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3, stride=4), nn.Linear(256, 10)

    def forward(self, x):
        x = self.conv(x)
        if x.sum() > 0:  # which way it goes depends on the picture, so there is no graph
            x = x.relu()
        return self.fc(x.view(len(x), -1))


def blind():
    return Blind()
"""


@pytest.fixture
def blind(tmp_path):
    (tmp_path / "model.py").write_text(BLIND)
    return load(f"{tmp_path / 'model.py'}:blind", data="shapes")


def test_a_model_without_a_graph_that_views_is_measured_timed_and_scanned(blind):
    graph = graph_of(blind)
    assert graph.program is None
    report = prune(Analysed(blind, graph), Recipe(weights={"conv": 0.5}), Conditions(samples=32))
    assert report.pruned.samples == 32 and report.pruned.latency_ms is not None
    found = outcome(scan(Analysed(blind, graph), ScanPlan("weight", (0.5,)), Conditions(samples=16)))
    assert found.finished


def test_the_order_follows_the_model_and_its_copies():
    x = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    other = laid_out(nn.Sequential(nn.Conv2d(3, 4, 3)), "cpu")
    assert not other(x).is_contiguous()  # the negative control: here the pictures go on as they come
    model = copy.deepcopy(in_usual_order(in_usual_order(nn.Sequential(nn.Conv2d(3, 4, 3)))))
    assert is_usual(model) and len(model._forward_pre_hooks) == 1
    assert laid_out(model, "cpu")(x).is_contiguous()
