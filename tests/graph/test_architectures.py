"""A few published architectures; `architectures.py` takes torchvision and a hundred families of timm."""

from importlib.util import find_spec

import pytest
import torch
from architectures import Architecture, Heads, row_of
from torch import nn

NAMES = "torchvision:squeezenet1_1", "timm:lcnet_035", "timm:test_vit"


@pytest.mark.parametrize("name", NAMES)
def test_half_of_every_group_is_cut_and_proven(name):
    source, _, model = name.partition(":")
    if find_spec(source) is None:
        pytest.skip("a package of the extra 'zoo' is not installed")
    from explorer.machine.optional_packages import torchvision, uses_torchvision

    def make() -> nn.Module:
        if source == "timm":
            return uses_torchvision("timm").create_model(model, pretrained=False)
        return torchvision().models.get_model(model, weights=None)

    row = row_of(Architecture(name, make))
    assert row["verdict"] == "verified" and row["after"] < 0.5 * row["params"]
    assert row["free"] + sum(row["frozen"].values()) == row["groups"]


def test_a_detector_is_its_backbone_and_heads():
    class Detector(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone, self.head = Levels(), Last()

    class Levels(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Conv2d(3, 8, 3)

        def forward(self, x):
            return {"0": self.a(x)}

    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.cls, self.box = nn.Conv2d(8, 3, 1), nn.Conv2d(8, 4, 1)

        def forward(self, levels):
            return {
                "cls": [self.cls(level) for level in levels],
                "box": [self.box(level) for level in levels],
            }

    row = row_of(Architecture("own", lambda: Heads(Detector())))
    assert row["verdict"] == "verified" and row["free"] == 1


def test_what_fails_is_a_row():
    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("never")

    assert "never" in row_of(Architecture("broken", Broken))["verdict"]
    assert torch.get_default_dtype() == torch.float32
