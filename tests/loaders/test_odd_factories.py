"""Factories that do more than build: what they change is put back, what cannot be read is one sentence."""

import os
import sys
import time
from pathlib import Path

import pytest
import torch

from explorer.audit.audit import audit
from explorer.engine.measure import prune
from explorer.errors import LoadError
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.values.recipe import Recipe

FILE = """
import os, sys
import torch
from torch import nn

input_shape = (20,)


def plain():
    return nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 4))


def changes_settings():
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_grad_enabled(False)
    os.chdir("/")
    sys.path.clear()
    with torch.device("cpu"):
        return plain()


def forks():
    os.fork()
    return plain()


def raises():
    raise BaseException("odd\\nlines")


async def waits():
    return plain()


def compiled():
    return torch.compile(plain())


def compiled_within():
    model = plain()
    model[0] = torch.compile(model[0])
    model.compile()
    return model


class Extra(nn.Linear):
    def get_extra_state(self):
        return {"version": 1}

    def set_extra_state(self, state):
        pass


def extra_state():
    return nn.Sequential(Extra(20, 16), nn.ReLU(), Extra(16, 4))


class OwnState(nn.Linear):
    def state_dict(self, *args, **kwargs):
        return {"best": 1}


def own_state():
    return OwnState(20, 4)


def without_values():
    with torch.device("meta"):
        return plain()


class Mapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(20, 8), nn.Linear(8, 3)

    def forward(self, x):
        return torch.func.vmap(lambda row: self.b(self.a(row).relu()))(x)


def mapped():
    return Mapped()


def nothing():
    return nn.Identity()


def exported():
    return torch.export.export(plain().eval(), (torch.randn(2, 20),)).module()


def exported_within():
    return nn.Sequential(exported(), nn.Linear(4, 3))


def unflattened():
    return torch.export.unflatten(torch.export.export(plain().eval(), (torch.randn(2, 20),)))


def traced_by_fx():
    return torch.fx.symbolic_trace(plain())


def sparse():
    model = plain()
    model[0].weight = nn.Parameter(model[0].weight.detach().to_sparse())
    return model


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(20, 8), nn.Linear(8, 3).double()

    def forward(self, x):
        return self.b(self.a(x).relu().double())


class Worded(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(20, 8)

    def forward(self, x):
        self.a(x)
        return {"class": "cat", "sure": 0.5, "more": [None]}
"""


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("odd.py").write_text(FILE)
    return lambda name: load(f"odd.py:{name}")


def test_settings_of_the_process_are_put_back(model):
    before = Path.cwd(), list(sys.path)
    subject = model("changes_settings")
    assert torch.get_default_dtype() == torch.float32 and str(torch.get_default_device()) == "cpu"
    assert torch.is_grad_enabled() and Path.cwd() == before[0] and set(before[1]) <= set(sys.path)
    assert audit(analyse(subject)).verified


def test_a_copy_of_the_program_ends_where_it_was_made(model, tmp_path):
    own = os.getpid()
    model("forks")
    with (tmp_path / "who").open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(0.5)
    assert (tmp_path / "who").read_text() == f"{own}\n"


@pytest.mark.parametrize(
    "name", ["compiled", "compiled_within", "extra_state", "unflattened", "traced_by_fx"]
)
def test_models_that_are_more_than_modules_are_cut_and_proven(model, name):
    subject = model(name)
    assert set(subject.model.state_dict()) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert len(analyse(subject).profile.free_groups) == 1
    assert audit(analyse(subject)).verified


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("raises", r"odd\.py, line \d+, fails with BaseException: odd lines"),
        ("waits", r"odd\.py gives a coroutine instead of a torch\.nn\.Module"),
        ("own_state", "has a state_dict of its own that holds more than tensors"),
        ("exported", r"The model of odd\.py holds a program of torch\.export, .* load the torch\.nn\.Module"),
        ("exported_within", "or what torch.export.unflatten makes of the program"),
        ("sparse", r"has sparse weights, which cannot be rated; make them dense with \.to_dense\(\)"),
        (
            "Mixed",
            "mixes weights in float32 and float64, to which its forward casts, but all are loaded as float32",
        ),
        ("Worded", r"\(TypeError: it returns a dict without any tensor\)"),
        ("without_values", "has weights without values, on the device 'meta'; build it on the CPU"),
    ],
)
def test_what_is_no_plain_model_is_one_sentence(model, name, sentence):
    with pytest.raises(LoadError, match=sentence):
        model(name)


def test_torch_func_stays_uncut_and_leaves_the_process_as_it_was(model):
    analysed = analyse(model("mapped"))
    assert "uses torch.func, such as vmap, which cannot be cut" in analysed.profile.error
    torch.randn(3)  # an open level of vmap would refuse this
    assert prune(analysed, Recipe(weights={"a": 0.5})).pruned.nonzero_params < analysed.profile.params


def test_a_model_without_weights_has_nothing_to_prove(model):
    assert audit(analyse(model("nothing"))).reason == "nothing was removed, so there is nothing to prove"
