"""What of a model's outputs is judged: `outputs` of its file, and probabilities where scores are read."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from explorer.commands.main import main
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import LoadError
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.loaders.random_inputs import agreement_task
from explorer.measuring.judging import metrics_of
from explorer.recovery.recover import recover
from explorer.recovery.training_plan import RecoveryPlan
from explorer.studies.behaviour import compare
from explorer.studies.model_answers import answer
from explorer.values.progress import outcome
from explorer.values.recipe import Recipe

SOURCE = """
from collections import namedtuple
from dataclasses import dataclass
import torch
from torch import Tensor, nn

input_shape = (6,)
Pair = namedtuple("Pair", "boxes scores")

@dataclass
class Found:
    boxes: Tensor
    scores: Tensor

class Net(nn.Module):
    def __init__(self, form, outputs=None, ending=nn.Identity()):
        super().__init__()
        self.a, self.b, self.c, self.form = nn.Linear(6, 16), nn.Linear(16, 4), nn.Linear(16, 3), form
        self.ending = ending
        if outputs is not None:
            self.outputs = outputs
    def forward(self, x):
        x = self.a(x).relu()
        return self.form(self.b(x), self.ending(self.c(x)))

def as_dict(boxes, scores): return {"boxes": boxes, "scores": scores}
def as_list(boxes, scores): return [boxes, scores]
def second(outputs): return outputs["scores"]
def key(): return Net(as_dict, "scores")
def function(): return Net(as_dict, second)
def place(): return Net(as_list, 1)
def last(): return Net(as_list, -1)
def field(): return Net(Pair, "scores")
def softmax(): return Net(as_dict, "scores", nn.Softmax(1))
def missing_key(): return Net(as_dict, "score")
def missing_place(): return Net(as_list, 5)
def missing_field(): return Net(Pair, "score")
def failing(): return Net(as_dict, lambda outputs: outputs[0] + outputs[1])
def no_pick(): return Net(as_dict, 0.5)
def shares(): return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3), nn.Sigmoid())
"""
QUICK = Conditions(latency=False)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(SOURCE)
    chance = np.random.default_rng(0)
    x, y = chance.normal(size=(90, 6)).astype(np.float32), chance.integers(0, 3, 90)
    np.savez("three.npz", x=x, y=y, x_train=x, y_train=y)
    np.savez("shares.npz", x=x, y=chance.random((90, 3)).astype(np.float32))
    return tmp_path


def plain(name, split):
    """The third linear layer's answers, by hand."""
    model = load(f"net.py:{name}").model
    return model.c(model.a(split.inputs).relu())


@pytest.mark.parametrize("name", ["key", "function", "place", "last", "field", "softmax"])
def test_the_picked_output_is_judged(folder, name):
    subject = load(f"net.py:{name}", data="npz:three.npz")
    split = subject.task.split("tuning")
    scores = plain(name, split).detach()
    dense = prune(analyse(subject), Recipe(), QUICK).baseline
    assert dense.metric == "accuracy" and dense.samples == len(split)
    assert dense.value == pytest.approx(float((scores.argmax(1) == split.targets).float().mean()))
    loss = torch.nn.functional.cross_entropy(scores, split.targets)
    assert dense.loss == pytest.approx(float(loss), rel=1e-4)
    assert outcome(compare(analyse(subject), Recipe(), QUICK)).before.correct == dense.correct
    *_, answers = answer(subject.model, split, subject.task, len(split))
    assert torch.allclose(answers.confidences, scores.softmax(1).amax(1), atol=1e-5)


@pytest.mark.parametrize("name", ["key", "softmax"])
def test_it_is_trained_and_taught(folder, name):
    model = analyse(load(f"net.py:{name}", data="npz:three.npz"))
    plan = RecoveryPlan("distill", epochs=1, batch_size=8, distillation_weight=0.5)
    done = outcome(recover(model, Recipe(channels={"a": 0.5}), plan, QUICK))
    assert done.finished and done.recovered[0].measurement.correct is not None


WRONG = {
    "missing_key": "outputs of 'net.py:missing_key' cannot be picked: the model gives a dict with 'boxes', "
    "'scores', which has no 'score'.",
    "missing_place": "the model gives a list of 2, which has no 5.",
    "missing_field": "the model gives a Pair with 'boxes', 'scores', which has no 'score'.",
    "failing": "outputs of 'net.py:failing' cannot be picked: net.py, line ",
    "no_pick": "must be a key such as 'boxes', a place such as 0, or a function of the model's outputs",
}


@pytest.mark.parametrize("name, sentence", WRONG.items())
def test_what_cannot_be_picked_is_one_sentence(folder, name, sentence, capsys):
    assert main(["prune", f"net.py:{name}", "--channels", "0.5"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and sentence in err


def test_numbers_from_0_to_1_are_compared_as_they_are(folder):
    """A sigmoid at the end of a regressor is no reason to turn its answers into scores."""
    subject = load("net.py:shares", data="npz:shares.npz")
    split = subject.task.split("tuning")
    with torch.inference_mode():
        error = float((subject.model(split.inputs) - split.targets).abs().mean())
    assert prune(analyse(subject), Recipe(), QUICK).baseline.value == pytest.approx(error, rel=1e-6)
    assert not any("probabilities" in line for line in subject.task.how)


@pytest.mark.parametrize("metric", ["cosine_similarity", "relative_error"])
def test_agreement_reads_the_outputs_as_they_are(folder, metric):
    """Nor is it for the distance from the dense model, which is measured without data, too."""
    subject = load("net.py:shares", metric=metric)
    model, recipe = analyse(subject), Recipe(weights={"0": 0.5, "2": 0.5})
    report = prune(model, recipe, QUICK)
    inputs = subject.task.split("tuning").inputs
    with torch.inference_mode():
        dense, copy = subject.model(inputs).double(), load("net.py:shares").model
        for layer in (copy[0], copy[2]):
            flat = layer.weight.detach().abs().flatten()
            layer.weight.mul_(layer.weight.abs() > flat.sort().values[flat.numel() // 2 - 1])
        ours = copy(inputs).double()
    if metric == "cosine_similarity":
        wanted = torch.nn.functional.cosine_similarity(ours, dense, dim=1).mean()
    else:
        wanted = ((ours - dense).square().sum() / dense.square().sum()).sqrt()
    assert report.pruned.value == pytest.approx(float(wanted), rel=1e-5)
    assert any("random inputs" in note for note in report.notes)


def test_agreement_can_be_scanned_without_data(folder, capsys):
    assert main(["scan", "net.py:shares", "--metric", "cosine_similarity", "--json"]) == 0
    capsys.readouterr()
    assert main(["scan", "net.py:shares"]) == 2
    assert "--metric same_answer or cosine_similarity" in capsys.readouterr().err
    assert main(["prune", "net.py:shares", "--metric", "mae"]) == 2
    assert "Agreement with the dense model needs none" in capsys.readouterr().err


def test_probabilities_of_labels_are_not_taken_for_one_distribution(folder):
    subject = load("net.py:shares")
    report = prune(analyse(subject), Recipe(), QUICK)
    assert report.baseline.metric == "same_answer" and list(report.baseline.others) == ["kl_divergence"]
    task = agreement_task(subject)
    answers = torch.tensor([[0.9, 0.5]]), torch.tensor([[0.5, 0.5]])
    rows = metrics_of(task)[1].statistics(*map(task.scored, answers))
    apart = 0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1)  # of the first label; the second agrees
    assert float(rows[0, 0] / rows[0, 1]) == pytest.approx(apart / 2)


def test_a_file_whose_package_needs_torchvision_is_read_once_more(folder):
    """The first import of torchvision fails beside a torch that its compiled part does not fit, which leaves
    halves of the packages that import it.
    """
    (folder / "faces").mkdir()
    (folder / "faces" / "__init__.py").write_text("from .models import net\n")
    (folder / "faces" / "models").mkdir()
    (folder / "faces" / "models" / "__init__.py").write_text("")
    (folder / "faces" / "models" / "net.py").write_text(
        "import torch\nfrom torch import nn\nfrom . import other\n"
        "if not hasattr(torch.ops.torchvision, 'nms'):\n"
        "    raise RuntimeError('operator torchvision::nms does not exist')\n"
        "def make(): return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))\n"
    )
    (folder / "faces" / "models" / "other.py").write_text("")
    (folder / "mine.py").write_text("from faces.models.net import make\ninput_shape = (6,)\n")
    words = [sys.executable, "-m", "explorer", "profile", "mine.py:make"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0 and "linear" in done.stdout, done.stderr


SAME_NET = """
from torch import nn
import torch
input_shape = (6,)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a = nn.Linear(6, 4)
    def forward(self, x): return {"one": self.a(x), "two": -self.a(x)}
def make(): return Net()
"""


def test_two_choices_of_outputs_are_two_models(tmp_path):
    """Otherwise what was measured of one would be shown for the other. The control is the same choice."""
    choices = [
        "",
        'outputs = "one"',
        'outputs = "two"',
        "outputs = lambda d: d['one']",
        'outputs = "one"  # again',
    ]
    ids = []
    for place, choice in enumerate(choices):
        (tmp_path / f"net{place}").mkdir()
        file = tmp_path / f"net{place}" / "net.py"
        file.write_text(f"{SAME_NET}\n{choice}\n")
        ids.append(load(f"{file}:make").id)
    assert len(set(ids[:4])) == 4 and ids[4] == ids[1]


SPARSE = """
from torch import nn
class Net(nn.Linear):
    def forward(self, x): return {"answer": super().forward(x)WAY}
def make(): return Net(4, 2)
input_shape = (4,)
"""


@pytest.mark.parametrize("way", [".to_sparse()", ".to_sparse_csr()"])
def test_an_output_that_is_sparse_is_refused_with_the_way_out(tmp_path, way):
    """The control is the same model with a dense output."""
    file = tmp_path / "net.py"
    file.write_text(SPARSE.replace("WAY", ""))
    load(f"{file}:make")
    file.write_text(SPARSE.replace("WAY", way))
    with pytest.raises(LoadError, match=r"The model of net.py returns a sparse tensor.*\.to_dense\(\)"):
        load(f"{file}:make")
