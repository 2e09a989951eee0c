"""One id for one model: whatever decides the answers decides the id, and nothing else does."""

import functools
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch
from rows import some
from torch import nn
from zoo import ZOO, odd

from explorer.graph.export import graph_of
from explorer.loaders.model_text import load
from explorer.registry import SAMPLES
from explorer.runs.held_out import openings
from explorer.runs.store import Store
from explorer.values.identity import sibling_id, subject_id, weights_id
from explorer.values.subject import Subject

GAIN = 2.0
HELPER = "gain = {gain}\n\n\ndef scaled(x):\n    return x * gain\n"
MODEL = """
import torch
from torch import nn
import {helper}
from {helper} import scaled

class M(nn.Module):
    def __init__(self, gain=2.0):
        super().__init__()
        self.a, self.b, self.gain = nn.Linear(8, 16), nn.Linear(16, 4), gain
    def forward(self, x):
        return {forward}

def make(): return M()
def double(): return M(2.0)
def triple(): return M(3.0)
"""


class Net(nn.Module):
    """Two layers, and something between them that neither the weights nor the printed text show."""

    between = staticmethod(torch.relu)

    def __init__(self, **attributes):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 4)
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, x):
        return self.b(self.between(self.a(x)))


class Gained(Net):
    def forward(self, x):
        return self.b(torch.relu(self.a(x)) * GAIN)


def scaled(gain):
    return lambda x: torch.relu(x) * gain


def with_default(gain):
    def between(x, by=gain):
        return torch.relu(x) * by

    return between


def made_meanwhile(gain):
    class Net(Gained):
        between = staticmethod(scaled(gain))
        forward = Net_forward

    return Net()


Net_forward = Net.forward


class Step:
    def __init__(self, gain):
        self.gain = gain

    def __call__(self, x):
        return torch.relu(x) * self.gain


class Slotted(Step):
    __slots__ = ("by",)

    def __init__(self, gain):
        self.by = gain

    def __call__(self, x):
        return torch.relu(x) * self.by


def in_a_buffer(gain):
    net = Net()
    net.register_buffer("gain", torch.tensor(gain), persistent=False)
    net.between = lambda x: torch.relu(x) * net.gain
    return net


def hooked(gain):
    net = Net()
    net.a.register_forward_hook(lambda module, inputs, output: output * gain)
    return net


def patched(gain):
    net = Net()
    net.a.forward = lambda x: functools.partial(torch.mul, gain)(x)
    return net


def with_heads(gain):
    class Attends(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.m = nn.MultiheadAttention(8, int(gain), batch_first=True)

        def forward(self, x):
            return self.m(x[:, None], x[:, None], x[:, None])[0]

    return Attends()


def fx_traced(gain):
    return torch.fx.symbolic_trace(Net(between=scaled(gain)))


def scripted(gain):
    net = torch.jit.trace(Net(between=scaled(gain)), torch.ones(2, 8))
    return net.eval()


def global_constant(gain):
    made = types.FunctionType(Gained.forward.__code__, {**globals(), "GAIN": gain}, "forward")
    return type("Gained", (Net,), {"forward": made, "__module__": __name__})()


def tied(gain):
    net = Net()
    net.c = nn.Linear(8, 8)
    net.c.weight = net.a.weight if gain == 2.0 else nn.Parameter(net.a.weight.detach().clone())
    return net


KINDS = {
    "number": lambda gain: Net(gain=gain),
    "tuple": lambda gain: Net(gains=(1, (gain,))),
    "dict": lambda gain: Net(table={"gain": gain}),
    "set": lambda gain: Net(gains={gain, 1.0}),
    "tensor": lambda gain: Net(gain=torch.tensor(gain)),
    "complex tensor": lambda gain: Net(gain=torch.tensor(gain * 1j)),
    "array": lambda gain: Net(gain=torch.tensor(gain).numpy()),
    "namespace": lambda gain: Net(config=types.SimpleNamespace(gain=gain)),
    "object": lambda gain: Net(between=Step(gain)),
    "object with slots": lambda gain: Net(between=Slotted(gain)),
    "method": lambda gain: Net(between=Step(gain).__call__),
    "list of modules": lambda gain: Net(steps=[nn.LeakyReLU(gain)]),
    "closure": lambda gain: Net(between=scaled(gain)),
    "default": lambda gain: Net(between=with_default(gain)),
    "partial": lambda gain: Net(between=functools.partial(torch.mul, gain)),
    "function": lambda gain: Net(between=torch.relu if gain == 2.0 else torch.tanh),
    "type of numbers": lambda gain: Net(kind=torch.float32 if gain == 2.0 else torch.float64),
    "class made meanwhile": made_meanwhile,
    "buffer that is not kept": in_a_buffer,
    "hook": hooked,
    "patched forward": patched,
    "number of heads": with_heads,
    "traced graph": fx_traced,
    "script": scripted,
    "global constant": global_constant,
    "shared weights": tied,
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_decides_the_answers_decides_the_id(kind):
    two, again, four = KINDS[kind](2.0), KINDS[kind](2.0), KINDS[kind](4.0)
    assert subject_id(two) == subject_id(again) != subject_id(four)


HIDDEN = [kind for kind in KINDS if kind not in ("traced graph", "script")]


@pytest.mark.parametrize("kind", HIDDEN)
def test_text_and_weights_alone_would_not_show_it(kind):
    """The negative control: these are the models that version 1 took for one."""
    assert weights_id(KINDS[kind](2.0)) == weights_id(KINDS[kind](4.0))


def written(folder, helper="helper_a", gain=2.0, forward="self.b(torch.relu(self.a(x)) * self.gain)"):
    (folder / f"{helper}.py").write_text(HELPER.format(gain=gain))
    (folder / "same.py").write_text(MODEL.format(forward=forward, helper=helper))
    return str(folder / "same.py")


def test_two_factories_of_one_file_are_two_models(tmp_path):
    file = written(tmp_path)
    double, triple = load(f"{file}:double@8"), load(f"{file}:triple@8")
    assert double.former_id == triple.former_id, "the text and the weights are equal"
    assert double.id != triple.id and load(f"{file}:make@8").id == double.id
    assert graph_of(double) is not graph_of(triple)
    for subject in (double, triple):
        (scale,) = (
            node.args[1] for node in graph_of(subject).program.graph.nodes if "mul" in str(node.target)
        )
        assert scale == subject.model.gain


PRINT_IDS = """
import sys
from explorer.loaders.model_text import load
print(*(load(spec).id for spec in sys.argv[1:]))
"""


def ids_elsewhere(*specs: str, seed: int) -> list[str]:
    """Of the same models in a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    done = subprocess.run(
        [sys.executable, "-c", PRINT_IDS, *specs],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_an_id_is_the_same_in_every_process_and_folder_and_without_comments(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir(), second.mkdir()
    forward = "self.b(scaled(self.a(x)) * {2.0, self.gain}.pop())"
    spec, other = (f"{written(folder, forward=forward)}:make@8" for folder in (first, second))
    file = Path(other.partition(":")[0])
    file.write_text(file.read_text() + "# a remark\n")
    assert ids_elsewhere(spec, seed=1) == ids_elsewhere(other, seed=2)


FORWARDS = {
    "helper_x": "self.b(scaled(self.a(x)))",
    "helper_y": "self.b(self.a(x)) * helper_y.gain",
    "helper_z": "self.b(self.a(x))",
}


def test_code_of_a_helper_file_counts_where_the_model_reads_it(tmp_path):
    ids = []
    for number, gain in enumerate((2.0, 3.0)):
        specs = []
        for helper, forward in FORWARDS.items():
            folder = tmp_path / f"{number} {helper}"
            folder.mkdir()
            specs.append(f"{written(folder, helper, gain, forward)}:make@8")
        ids += ids_elsewhere(*specs, seed=1)
    scaled_by_two, read_two, unread, scaled_by_three, read_three, unread_again = ids
    assert scaled_by_two != scaled_by_three and read_two != read_three and unread == unread_again


@pytest.mark.parametrize("name", some(ZOO, 3))
def test_analysing_a_model_leaves_its_id(name):
    subject = odd(name)
    before = subject_id(subject.model)
    graph_of(subject)
    with torch.no_grad():
        subject.model(subject.example)
    assert subject_id(subject.model) == before


def test_samples_keep_the_ids_of_version_1():
    """Scans that came with them, kept runs and openings are found by these."""
    known = {"digits-cnn": "0c92c50eb08fb88c", "shapes-vit": "fb9a26053fde9655"}
    assert {name: load(name).id for name in known} == known and set(known) <= set(SAMPLES)


def test_other_weights_make_another_id_of_the_same_kind():
    subject, foreign = load("digits-mlp"), odd("chain")
    for one in (subject, foreign):
        other = load("digits-mlp").model if one is subject else odd("chain").model
        with torch.no_grad():
            next(other.parameters()).add_(1.0)
        assert sibling_id(one, other) not in (one.id, sibling_id(one, one.model))
    assert sibling_id(subject, subject.model) == subject.id


def test_openings_under_the_former_id_still_count(tmp_path):
    store = Store(tmp_path)
    store.open_held_out("old"), store.open_held_out("new")
    model = nn.Linear(2, 2)
    subject = Subject("new", "moved", model, None, torch.zeros(2, 2), former_id="old")
    assert openings(subject, store) == 2 and openings(subject, store, past=True) == 1
    assert openings(Subject("new", "own", model, None, torch.zeros(2, 2)), store) == 1
