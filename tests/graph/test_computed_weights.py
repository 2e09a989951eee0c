"""Weights that the model computes while it runs: outputs go whole, and what cannot lose an input says so."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.audit.audit import audit
from explorer.graph.analysed import analyse
from explorer.values.subject import Subject


class Computed(nn.Module):
    """A layer whose outputs are the weights of the operator behind another layer."""

    def __init__(self, way: str):
        super().__init__()
        self.way = way
        self.register_buffer("style", torch.randn(5))
        self.register_buffer("blur", torch.rand(1, 1, 3, 3))
        self.first, self.hyper = nn.Conv2d(3, 6, 3, padding=1), nn.Linear(5, NUMBERS.get(way, 8))
        self.base = nn.Parameter(torch.randn(8, 6, 1, 1))
        self.last = nn.LazyConv2d(4, 1) if way not in ("linear", "bilinear") else nn.LazyLinear(4)

    def forward(self, x: Tensor) -> Tensor:
        x, w = F.relu(self.first(x)), self.hyper(self.style)
        mean = x.mean((2, 3))
        match self.way:
            case "convolution":
                x = F.conv2d(x, w.view(8, 6, 1, 1))
            case "grouped":
                x = F.conv2d(x, w.view(8, 3, 1, 1), groups=2)
            case "depthwise":
                x = F.conv2d(x, w.view(6, 1, 3, 3), groups=6)
            case "transposed":
                x = F.conv_transpose2d(x, w.view(6, 8, 1, 1))
            case "scaled":
                x = F.conv2d(x, self.base * w.view(8, 1, 1, 1))
            case "repeated":
                x = F.conv2d(x, self.blur.repeat(x.shape[1], 1, 1, 1), groups=x.shape[1])
                x = x * w[:6].view(-1, 1, 1)
            case "linear":
                x = F.linear(mean, w.view(8, 6))
            case "bilinear":
                x = F.bilinear(mean, x.amax((2, 3)), w.view(8, 6, 6))
        return self.last(x)


NUMBERS = {"convolution": 48, "grouped": 24, "depthwise": 54, "transposed": 48, "linear": 48, "bilinear": 288}
FREE = {
    "convolution": {"hyper": 8},
    "grouped": {"hyper": 4},
    "depthwise": {"first": 6},
    "transposed": {"hyper": 8},
    "scaled": {"first": 6, "hyper": 8},
    "repeated": {"first": 6},
    "linear": {},
    "bilinear": {"hyper": 8},
}


@pytest.mark.parametrize("way", FREE)
def test_computed_weights_lose_whole_outputs_and_are_proven(way):
    torch.manual_seed(0)
    example = torch.randn(2, 3, 6, 6)
    model = Computed(way).eval()
    model(example)
    analysed = analyse(Subject(f"computed {way}", way, model, None, example))
    free = {group.name: group.units for group in analysed.profile.free_groups.values()}
    assert free.items() >= FREE[way].items()
    frozen = {group.name: group.frozen for group in analysed.profile.groups if group.frozen}
    assert ("first" in frozen) == ("first" not in FREE[way]), frozen
    if free:
        report = audit(analysed)
        assert report.verified and report.max_rel_diff < 1e-8, report.reason
