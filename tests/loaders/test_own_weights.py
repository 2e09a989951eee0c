"""Models of a file with masked, packed, sealed or other weights: read, or refused in one sentence."""

import pytest
import torch

from explorer.errors import LoadError
from explorer.loaders.model_text import load

FILE = """
import torch
from torch import nn
from torch.nn.utils import prune

input_shape = (20,)


def plain():
    return nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 4))


def masked():
    model = plain()
    prune.l1_unstructured(model[0], "weight", amount=0.5)
    prune.random_structured(model[2], "weight", amount=0.25, dim=0)
    return model


def packed():
    return torch.ao.quantization.quantize_dynamic(plain(), {nn.Linear}, dtype=torch.qint8)


def scripted():
    return torch.jit.script(plain())


class Casting(nn.Module):
    def __init__(self, dtype, follow=False):
        super().__init__()
        self.fc, self.dtype, self.follow = nn.Linear(20, 4), dtype, follow
        self.to(dtype)

    def forward(self, x):
        return self.fc(x.to(self.fc.weight.dtype if self.follow else self.dtype)).float()


def bfloat16():
    return Casting(torch.bfloat16)


def double():
    return Casting(torch.float64)


def following():
    return Casting(torch.bfloat16, True)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(FILE)
    return path


def test_masks_are_made_permanent(file):
    subject = load(f"{file}:masked")
    state = subject.model.state_dict()
    assert set(state) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert int((state["0.weight"] == 0).sum()) == 160 and int((state["2.weight"] == 0).sum()) == 16
    assert "2 masks" in subject.card["description"]
    assert "masks" not in load(f"{file}:plain").card["description"]


@pytest.mark.parametrize(
    ("factory", "told"),
    [
        ("packed", "prune the model before it is quantised"),
        ("scripted", "load the torch.nn.Module"),
        ("bfloat16", "runs in bfloat16 only"),
        ("double", "runs in float64 only"),
    ],
)
def test_what_cannot_be_pruned_is_refused_in_a_sentence(file, factory, told):
    with pytest.raises(LoadError, match=told) as refused:
        load(f"{file}:{factory}")
    assert str(refused.value).count("\n") == 0


def test_a_cast_that_follows_a_weight_is_read(file):
    assert load(f"{file}:following").model(torch.zeros(2, 20)).shape == (2, 4)
