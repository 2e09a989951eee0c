"""Mistakes in a task of one's own, on the command line: each is one sentence, and nothing is measured."""

import pytest

from explorer.commands.main import main

FILE = """
import dataclasses
import explorer
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

MEAN = explorer.Metric.mean
ROWS = torch.rand(80, 6, generator=torch.Generator().manual_seed(0))
SUMS, PICTURES = ROWS.sum(1, keepdim=True), torch.zeros(20, 1, 8, 8)


def build():
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
    model.input_shape = (6,)
    return model


def segmenter():
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 3, padding=1))
    model.input_shape = (1, 8, 8)
    return model


class Items(Dataset):
    def __init__(self, item, length=80):
        self.item, self.length = item, length

    def __len__(self):
        return self.length

    def __getitem__(self, number):
        return self.item(number)


def task(metric="mae", data=(ROWS, SUMS), **more):
    return lambda: explorer.Task("mine", data=data, metric=metric, **more)


def items(item, length=80, metric="mae"):
    return task(metric, Items(item, length))


def error(outputs, targets):
    return (outputs - targets).abs().flatten()


def valued(value):
    return task(dataclasses.replace(MEAN("mine", error), value=value))


def raising(number):
    if number % 10 == 7:
        raise OSError("the disk is gone")
    return ROWS[number], SUMS[number]


def collated(items):
    return torch.stack([x for x, _ in items])[1:], torch.stack([y for _, y in items])


fine = task(MEAN("mine", error))
labels = task("multilabel_f1", {"tuning": (ROWS, (SUMS > 3).float())})
nan = task(MEAN("mine", lambda o, t: error(o, t) / 0 * 0))
wide = task(MEAN("mine", lambda o, t: (o - t).expand(-1, 2)))
one = task(MEAN("mine", lambda o, t: error(o, t).mean()))
few = task(MEAN("mine", lambda o, t: error(o, t)[1:]))
text = task(MEAN("mine", lambda o, t: "good"))
changing = task(MEAN("mine", lambda o, t: torch.rand(len(o))))
changing_scores = task(scores=lambda model, batch: torch.rand(len(batch[0])))
value_nan = valued(lambda sums: sums[..., 0] * float("nan"))
value_shape = valued(lambda sums: sums[0] / sums[1])
value_all = valued(lambda sums: sums)
middle = items(raising)
ragged = items(lambda number: (ROWS[number][: 5 if number % 10 == 7 else 6], SUMS[number]))
shorter = items(lambda number: (ROWS[number], SUMS[number]), 100)
alone = items(lambda number: None)
triple = items(lambda number: (ROWS[number], SUMS[number], 1))
collating = task(data=DataLoader(Items(lambda n: (ROWS[n], SUMS[n])), collate_fn=collated))
mask_size = task("mean_iou", (PICTURES, torch.zeros(20, 7, 7, dtype=torch.long)))
mask_sizes = items(lambda n: (PICTURES[0], torch.zeros(8, 8 - (n == 7), dtype=torch.long)), 20, "mean_iou")
no_metric = task([])
direction = lambda: task(MEAN("mine", error, better="maximize"))()
imaginary = task(MEAN("mine", lambda o, t: error(o, t) * 1j))
imaginary_targets = task("rmse", (ROWS, SUMS * 1j))
soft_labels = task("multilabel_f1", (ROWS, SUMS / 6))
signed_labels = task("multilabel_f1", (ROWS, (SUMS > 3) * 2.0 - 1))
no_label = task("multilabel_f1", (ROWS, (SUMS > 3).float().where(ROWS[:, :1] > 0.1, float("nan"))))
part = task(data={"tuning": (ROWS, SUMS), "validation": (ROWS, SUMS)})
loose = task(data=(ROWS, ROWS[:, :2], SUMS))
mask_class = task("mean_iou", (PICTURES, torch.full((20, 8, 8), 5)))
"""

SENTENCES = {
    "nan": "Metric 'mine' gives no number (NaN or infinite) for sample 0 of a batch",
    "wide": "Metric 'mine' must give one number per sample, a tensor of shape (samples,), got shape (40, 2).",
    "one": "Metric 'mine' must give one number per sample, a tensor of shape (samples,), got shape ().",
    "few": "Metric 'mine' must give a row of statistics for each of 40 samples, got shape (39, 2).",
    "text": "Metric 'mine' must give one number per sample, a tensor of shape (samples,), got a str.",
    "changing": "Metric 'mine' of task 'mine' gives other numbers for the same samples each time; seed what",
    "changing_scores": "scores(model, batch) of task 'mine' gives other numbers for the same",
    "value_nan": "The value of metric 'mine' is no number (NaN) for the first 40 samples; check what it",
    "value_shape": "value of metric 'mine' must turn (..., 2) sums into numbers of shape (...), here (1000",
    "value_all": "The value of metric 'mine' must turn (..., 2) sums into numbers of shape (...), here ()",
    "middle": "Data set 'mine' fails at sample ",
    "ragged": "Samples of data set 'mine' do not fit into one batch (RuntimeError: stack expects each tensor",
    "shorter": "Data set 'mine' fails at sample ",
    "alone": "Samples of data set 'mine' do not fit into one batch (TypeError: ",
    "triple": "reads one input, but the data has 3 inputs a sample; a sample is a pair (inputs, target).",
    "collating": "A batch of 2 samples of data set 'mine' must have as many inputs and targets; one of them",
    "mask_size": "needs whole-number targets of shape (10, 8, 8), got a tensor of shape (10, 7, 7).",
    "mask_sizes": "Samples of data set 'mine' do not fit into one batch",
    "no_metric": "Task 'mine' has no metric; name one, such as 'accuracy' or 'mae'.",
    "direction": "'better' of metric 'mine' must be 'higher' or 'lower', got 'maximize'.",
    "imaginary": "Metric 'mine' must give real numbers, got complex ones.",
    "imaginary_targets": "Metric 'rmse' needs real numbers, got complex ones; give their real parts.",
    "soft_labels": "Metric 'multilabel_f1' needs targets of 0 and 1, got 0.",
    "signed_labels": "Metric 'multilabel_f1' needs targets of 0 and 1, got -1 to 1.",
    "no_label": "Metric 'multilabel_f1' needs targets of 0 and 1, got nan to nan.",
    "part": "has a part 'validation'; the parts of a dict are called 'tuning', 'held_out' and 'training'.",
    "loose": "has 3 tensors; give a pair, ((first, second), targets) for several inputs.",
    "mask_class": "needs targets from 0 to 1, since the model gives 2 scores; got 5 to 5.",
}


def pruned(name: str) -> int:
    model = "segmenter" if name.startswith("mask") else "build"
    words = ["--task", f"net.py:{name}", "--channels", "0.5", "--no-latency"]
    return main(["prune", f"net.py:{model}", *words])


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(FILE)


@pytest.mark.parametrize("name, sentence", SENTENCES.items())
def test_a_mistake_is_one_sentence(name, sentence, capsys):
    assert pruned(name) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and sentence in err


@pytest.mark.parametrize("name, shown", {"fine": "mine ", "labels": "multi-label F1"}.items())
def test_a_task_without_a_mistake_is_measured(name, shown, capsys):
    assert pruned(name) == 0
    assert shown in capsys.readouterr().out
