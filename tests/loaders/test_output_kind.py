"""A model whose outputs are probabilities gets the right loss, and one with one output two classes."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from explorer.engine.agreement import with_agreement
from explorer.engine.candidate import prepare
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.loaders.output_kind import as_scores, kind_of
from explorer.metrics.losses import loss_of
from explorer.registry import METRICS
from explorer.values.recipe import Recipe

ENDINGS = {
    "softmax": nn.Softmax(1),
    "softmax of the last": nn.Softmax(-1),
    "log_softmax": nn.LogSoftmax(1),
    "sigmoid": nn.Sequential(nn.Sigmoid(), nn.Flatten(0), nn.Unflatten(0, (-1, 3))),
    "none": nn.Identity(),
    "softmax in the middle": nn.Sequential(nn.Softmax(1), nn.Linear(3, 2)),
    "softmax over samples": nn.Softmax(0),
    "no probabilities": nn.ReLU(),
}
KINDS = {
    "softmax": "softmax",
    "softmax of the last": "softmax",
    "log_softmax": "log_softmax",
    "sigmoid": "sigmoid",
}
INPUTS = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_kind_is_that_of_the_last_operator(ending):
    model = nn.Sequential(nn.Linear(8, 3), ENDINGS[ending])
    assert kind_of(lambda: model(INPUTS)) == KINDS.get(ending)


@pytest.mark.parametrize("kind, ending", [("softmax", nn.Softmax(1)), ("sigmoid", nn.Sigmoid())])
def test_scores_give_the_probabilities_back(kind, ending):
    outputs = ending(4 * INPUTS)
    assert torch.allclose(ending(as_scores(kind, outputs)), outputs, atol=1e-6)


def test_the_loss_of_probabilities_is_their_likelihood():
    logits, targets = 3 * INPUTS[:, :4], torch.tensor([0, 1, 2, 3, 0, 1])
    expected = functional.nll_loss(logits.log_softmax(1), targets)
    assert torch.allclose(
        functional.cross_entropy(as_scores("softmax", logits.softmax(1)), targets), expected
    )
    wrong = functional.cross_entropy(logits.softmax(1), targets)
    assert not torch.allclose(wrong, expected, atol=0.1)


SOURCE = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self, ending, width):
        super().__init__()
        self.a, self.b, self.ending = nn.Linear(6, 16), nn.Linear(16, width), ending
    def forward(self, x):
        return self.ending(self.b(self.a(x).relu()))
input_shape = (6,)
def scores(): return Net(nn.Identity(), 3)
def softmax(): return Net(nn.Softmax(1), 3)
def one(): return Net(nn.Identity(), 1)
def sigmoid(): return Net(nn.Sigmoid(), 1)
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "net.py").write_text(SOURCE)
    generator = np.random.default_rng(0)
    x = generator.normal(size=(90, 6)).astype(np.float32)
    np.savez(tmp_path / "three.npz", x=x, y=generator.integers(0, 3, 90))
    np.savez(tmp_path / "two.npz", x=x, y=(x[:, 0] > 0).astype(np.int64))
    np.savez(tmp_path / "numbers.npz", x=x, y=x[:, :1])
    rows = [",".join(f"{v:.5f}" for v in row) + f",{int(row[0] > 0)}" for row in x]
    (tmp_path / "two.csv").write_text("\n".join(["a,b,c,d,e,f,bought", *rows]))
    return tmp_path


def opened(place, factory, data):
    return load(f"{place}/net.py:{factory}", data=data.replace(":", f":{place}/"))


def test_two_models_that_differ_in_their_ending_have_one_loss(place):
    plain, ended = (opened(place, name, "npz:three.npz") for name in ("scores", "softmax"))
    ended.model.load_state_dict(plain.model.state_dict())
    reports = [prune(analyse(s), Recipe(), Conditions(latency=False)) for s in (plain, ended)]
    assert reports[0].baseline.loss == pytest.approx(reports[1].baseline.loss, rel=1e-5)
    assert reports[0].baseline.correct == reports[1].baseline.correct
    assert any("probabilities" in line for line in ended.task.how)
    assert not any("probabilities" in line for line in plain.task.how)
    split = ended.task.split("tuning")
    with torch.no_grad():
        outputs = ended.model(split.inputs)
        lowered = loss_of(ended.task)(outputs, split.targets)
    assert float(lowered) == pytest.approx(float(functional.nll_loss(outputs.log(), split.targets)), rel=1e-4)


@pytest.mark.parametrize("factory", ["one", "sigmoid"])
@pytest.mark.parametrize("data", ["npz:two.npz", "csv:two.csv?target=bought"])
def test_one_output_and_targets_of_0_and_1_are_two_classes(place, factory, data):
    subject = opened(place, factory, data)
    report = prune(analyse(subject), Recipe(), Conditions(latency=False))
    split = subject.task.split("tuning")
    with torch.no_grad():
        outputs = subject.model(split.inputs)[:, 0]
    yes = outputs > (0.5 if factory == "sigmoid" else 0.0)
    assert report.baseline.metric == "binary_accuracy"
    assert report.baseline.value == pytest.approx(
        float((yes == (split.targets.reshape(-1) > 0)).float().mean())
    )
    assert any("two classes" in line for line in subject.task.how)


def test_one_output_and_other_numbers_are_no_classes(place):
    assert opened(place, "one", "npz:numbers.npz").task.metrics == ("mae", "r2")


def bernoulli(ours, theirs):
    """KL divergence of labels by plain numpy: of each label's yes and no, then the mean."""
    p, q = theirs.double().numpy(), ours.double().numpy()
    return float((p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean())


@pytest.mark.parametrize("data", [None, "npz:bare.npz"])
def test_labels_without_targets_diverge_label_by_label(place, data):
    np.savez(place / "bare.npz", x=np.random.default_rng(1).normal(size=(60, 6)).astype(np.float32))
    (place / "labels.py").write_text(SOURCE + "\ndef labels(): return Net(nn.Sigmoid(), 4)\n")
    subject = load(f"{place}/labels.py:labels", data=data and data.replace(":", f":{place}/"))
    model = with_agreement(analyse(subject))
    recipe = Recipe(weights={"a": 0.6})
    report = prune(model, recipe, Conditions(latency=False))
    split = model.subject.task.split("tuning")
    inputs = model.subject.task.normalisation(split.inputs_at(0, len(split)))
    small = prepare(model, recipe).model
    with torch.no_grad():
        ours, theirs = small(inputs), subject.model(inputs)
    found = report.pruned.others["kl_divergence"]
    assert found["value"] == pytest.approx(bernoulli(ours, theirs), rel=1e-4) and found["low"] >= 0
    softmaxed = (theirs.softmax(1) * (theirs.softmax(1) / ours.softmax(1)).log()).sum(1).mean()
    assert found["value"] != pytest.approx(float(softmaxed), rel=0.05)  # the negative control


def test_one_score_diverges_too():
    ours, theirs = torch.tensor([[0.5], [-2.0]]), torch.tensor([[1.0], [1.0]])
    rows = METRICS["kl_divergence"]().statistics(ours, theirs)
    assert float(rows[:, 0].mean()) == pytest.approx(bernoulli(ours.sigmoid(), theirs.sigmoid()))
