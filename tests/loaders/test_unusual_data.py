"""Data of a task that is unusual but right, and more mistakes, each of which is one sentence."""

import json

import pytest

from explorer.commands.main import main

FILE = """
import collections
import dataclasses
import explorer
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset

ROWS = torch.rand(40, 6, generator=torch.Generator().manual_seed(0))
SUMS = ROWS.sum(1, keepdim=True)
Pair = collections.namedtuple("Pair", "rows sums")
input_shape = (6,)

@dataclasses.dataclass
class Batch:
    rows: torch.Tensor
    sums: torch.Tensor

def build(): return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))

class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = build()
        self.outputs = "said"
    def forward(self, x):
        return {"said": self.body(x)}
def both(): return Both()

class Noted(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = build()
        self.example_input = torch.zeros(2, 6, dtype=torch.long)
    def forward(self, x):
        return self.body(x.float() if x.dtype == torch.float32 else undefined_name)
def wrong_example(): return Noted()

class Rows(Dataset):
    def __init__(self, change=lambda number: (ROWS[number], SUMS[number]), length=40):
        self.change, self.length = change, length
    def __len__(self): return self.length
    def __getitem__(self, number): return self.change(number)

class Stream(IterableDataset):
    def __iter__(self): return iter(zip(ROWS, SUMS))

class Dying(Rows):
    def __getitem__(self, number):
        if number == 11:
            raise SystemExit("the worker was killed")
        return super().__getitem__(number)

class Ordered(Rows):
    def __init__(self):
        super().__init__()
        self.calls = 0
    def __getitem__(self, number):
        self.calls += 1
        return ROWS[number], SUMS[number] + self.calls

def task(data=(ROWS, SUMS), metric="mae", **more):
    return lambda: explorer.Task("mine", data=data, metric=metric, **more)

def ragged(number):
    return ROWS[number], {"boxes": torch.ones(number % 3 + 1, 4)}

named = task(DataLoader(Rows(), collate_fn=lambda items: Pair(*map(torch.stack, zip(*items)))))
of_class = task(DataLoader(Rows(), collate_fn=lambda items: Batch(*map(torch.stack, zip(*items)))))
workers = task(DataLoader(Rows(), batch_size=4, num_workers=2))
in_float64 = task((ROWS.double(), SUMS.double()))
in_int8 = task(((ROWS * 100).to(torch.int8), SUMS))
in_bool = task((ROWS > 0.5, SUMS))
in_uint8 = task(((ROWS * 255).to(torch.uint8), SUMS))
arrays = task((ROWS.numpy(), SUMS.numpy()))
one_sample = task((ROWS[:1], SUMS[:1]))
two_samples = task((ROWS[:2], SUMS[:2]))
picked = task(answer=lambda outputs: outputs["said"])
dying = task(DataLoader(Dying(), num_workers=2))
streamed = task(Stream())
empty = task((ROWS[:0], SUMS[:0]))
empty_set = task(Rows(length=0))
ragged_targets = task(Rows(ragged))
missing_targets = task(Rows(lambda number: ROWS[number]))
missing_key = task(answer=lambda outputs: outputs["boxs"])
dicts = task(Rows(lambda number: {"row": ROWS[number], "sum": SUMS[number]}))
unlike = task((ROWS, SUMS[:30]))
texts = task(Rows(lambda number: (f"row {number}", SUMS[number])))
complex_inputs = task((ROWS.to(torch.complex64), SUMS))
no_metric = task(metric="mse")
not_a_metric = task(metric=3)
raising_loss = task(loss=lambda outputs, targets: outputs - targets)
shape = task((ROWS[:, :5], SUMS))
ordered = task(Ordered())
no_task = lambda: 5
failing = lambda: 1 / 0
asks = lambda name: name
"""

FINE = "named of_class workers in_float64 in_int8 in_bool in_uint8 arrays one_sample two_samples".split()
SENTENCES = {
    "dying": "fails at sample 11 of 40 (net.py, line ",
    "streamed": "must be a data set with a length and numbered samples",
    "empty": "has no samples",
    "empty_set": "Data of task 'mine' has no samples.",
    "ragged_targets": "do not fit into one batch (RuntimeError: stack expects each tensor to be equal size",
    "missing_targets": "Metric 'mae' needs ",
    "missing_key": "does not run on the inputs of task 'mine' (",
    "dicts": "reads one input, but the data has 2 inputs a sample; a sample is a pair (inputs, target).",
    "unlike": "30 and 40",
    "texts": "Samples of data set 'mine' hold text; give tensors, such as tokens.",
    "complex_inputs": "'net.py:build' reads numbers, but inputs of task 'mine' are torch.complex64.",
    "no_metric": "No metric named 'mse'. Available: ",
    "not_a_metric": "The metric of task 'mine' must be a name, an explorer.Metric, or several, got int.",
    "shape": "have the shape (5,), but 'net.py:build' reads (6,).",
    "ordered": "Data set 'mine' gives another sample ",
    "no_task": "net.py fails with LoadError: Data of task 'net.py:no_task' must be a data set with a length",
    "failing": "fails with ZeroDivisionError: division by zero",
    "asks": "net.py fails with TypeError: <lambda>() missing 1 required positional argument: 'name'",
}


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(FILE)


def pruned(name, *, model="build", json_too=False):
    words = ["--task", f"net.py:{name}", "--channels", "0.5", "--no-latency"]
    return main(["prune", f"net.py:{model}", *words, *(["--json"] if json_too else [])])


@pytest.mark.parametrize("name", FINE)
def test_unusual_data_is_measured(name, capsys):
    assert pruned(name, json_too=True) == 0
    report = json.loads(capsys.readouterr().out)
    samples = {"one_sample": 1, "two_samples": 1}.get(name, 20)
    assert report["pruned"]["samples"] == samples and report["pruned"]["value"] is not None


def test_an_answer_may_be_picked_by_the_task(capsys):
    assert pruned("picked", model="both", json_too=True) == 0
    assert json.loads(capsys.readouterr().out)["baseline"]["metric"] == "mae"


@pytest.mark.parametrize("name, sentence", SENTENCES.items())
def test_a_mistake_is_one_sentence(name, sentence, capsys):
    assert pruned(name, model="both" if name == "missing_key" else "build") == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and sentence in err, err


def test_a_syntax_error_is_one_sentence(tmp_path, capsys):
    (tmp_path / "slip.py").write_text("def make(:\n    pass\n")
    assert main(["prune", "net.py:build", "--task", "slip.py:make", "--channels", "0.5"]) == 2
    assert main(["profile", "slip.py:make"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 2 and err.count("slip.py") >= 2 and err.count("line 1") == 2, err


def test_an_example_of_a_wrong_type_is_one_sentence(capsys):
    assert main(["profile", "net.py:wrong_example"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "does not run on an input of shape (2, 6) (net.py, line " in err, err
