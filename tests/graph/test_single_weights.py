"""Which single weights can be pruned: of every layer that multiplies by them, however it holds them."""

import itertools

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune as masks

from explorer.audit.audit import audit
from explorer.engine.candidate import prepare
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import graph_of
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject

NUMBERS = itertools.count()
RECURRENT = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


class Recurrent(nn.Module):
    def __init__(self, kind: str):
        super().__init__()
        self.rnn, self.fc = RECURRENT[kind](8, 12, 2, batch_first=True), nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.rnn(x)[0][:, -1])


class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.fc = nn.GRUCell(8, 12), nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        state = torch.zeros(len(x), 12)
        for step in x.unbind(1):
            state = self.cell(step, state)
        return self.fc(state)


class Raw(nn.Module):
    """Weights that no module of torch holds."""

    def __init__(self, way: str):
        super().__init__()
        self.way, self.w, self.fc = way, nn.Parameter(torch.randn(12, 8)), nn.Linear(12, 10)
        self.pair = nn.Bilinear(8, 8, 12)
        self.wave = nn.Parameter(torch.randn(8, 12, dtype=torch.complex64))

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean(1)
        if self.way == "einsum":
            x = torch.einsum("bi,oi->bo", x, self.w)
        elif self.way == "bilinear":
            x = self.pair(x, x)
        elif self.way == "complex":
            x = (x.to(torch.complex64) @ self.wave).abs()
        return self.fc(torch.relu(x))


def subject_of(model: nn.Module, *shape: int) -> Subject:
    return Subject(f"single {next(NUMBERS)}", "own", model.eval(), None, torch.randn(2, *shape))


@pytest.mark.parametrize("kind", RECURRENT)
def test_recurrent_weights_lose_as_many_as_torch_takes(kind):
    subject = subject_of(Recurrent(kind), 8, 8)
    layers = graph_of(subject).profile.prunable_layers
    names = [f"rnn.weight_{side}_l{n}" for n in (0, 1) for side in ("ih", "hh")]
    assert list(layers) == [*names, "fc"]
    small = prepare(analyse(subject), Recipe(weights=dict.fromkeys(layers, 0.5))).model
    for name in names:
        own = Recurrent(kind)
        own.load_state_dict(subject.model.state_dict())
        leaf = name.removeprefix("rnn.")
        masks.l1_unstructured(own.rnn, leaf, amount=0.5)
        assert torch.equal(small.state_dict()[name], getattr(own.rnn, leaf)), name
    assert small(torch.randn(3, 8, 8)).shape == (3, 10)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Cell(), ["cell.weight_ih", "cell.weight_hh", "fc"]),
        (Raw("einsum"), ["w", "fc"]),
        (Raw("bilinear"), ["pair", "fc"]),
        (Raw("complex"), ["fc"]),
    ],
    ids=["cell", "einsum", "bilinear", "complex"],
)
def test_other_weights_are_pruned_or_named_as_whole(model, expected):
    subject = subject_of(model, 8, 8)
    profile = graph_of(subject).profile
    assert [name for name in profile.prunable_layers if name in expected] == expected
    assert ("wave" in profile.whole_layers) == (model.__dict__.get("way") == "complex")
    small = prepare(analyse(subject), Recipe(weights=dict.fromkeys(expected, 0.5))).model
    for name in expected:
        tensor = small.state_dict()[profile.prunable_layers[name].weight]
        assert int((tensor == 0).sum()) == tensor.numel() // 2


def test_without_a_graph_each_matrix_of_a_recurrent_layer_is_rated():
    class Blind(Recurrent):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x if float(x.sum()) > 0 else -x)

    subject = subject_of(Blind("lstm"), 8, 8)
    graph = graph_of(subject)
    assert graph.program is None and len(graph.profile.prunable_layers) == 5
    assert sum(layer.params for layer in graph.profile.layers) == graph.profile.params
    small = prepare(Analysed(subject, graph), Recipe(weights={"rnn.weight_hh_l1": 0.75})).model
    weight = small.state_dict()["rnn.weight_hh_l1"]
    assert int((weight == 0).sum()) == weight.numel() * 3 // 4


def test_masks_of_torch_hide_no_channels():
    layers = nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    model = nn.Sequential(*layers)
    for place in (0, 2):
        masks.l1_unstructured(model[place], "weight", amount=0.5)
    subject = subject_of(model, 1, 8, 8)
    graph = graph_of(subject)
    assert {g.name: g.units for g in graph.profile.free_groups.values()} == {"0": 8}
    assert audit(Analysed(subject, graph)).verified


GATES = {"lstm": 4, "gru": 3, "rnn": 1}


@pytest.mark.parametrize("kind", RECURRENT)
@pytest.mark.parametrize("both", [False, True], ids=["forward", "both"])
def test_each_matrix_of_a_recurrent_layer_has_its_multiply_adds(kind, both):
    """By hand: each is used once a step, at all of its numbers."""
    steps, sides = 7, 2 if both else 1
    model = Recurrent(kind)
    model.rnn = RECURRENT[kind](8, 12, 2, batch_first=True, bidirectional=both)
    model.fc = nn.Linear(12 * sides, 10)
    profile = graph_of(subject_of(model, steps, 8)).profile
    own = {layer.name: layer.macs for layer in profile.layers}
    rows = GATES[kind] * 12
    expected = {"fc": 120 * sides}
    for suffix in ("", "_reverse")[:sides]:
        for number, width in enumerate((8, 12 * sides)):
            expected[f"rnn.weight_ih_l{number}{suffix}"] = steps * rows * width
            expected[f"rnn.weight_hh_l{number}{suffix}"] = steps * rows * 12
    assert {name: own[name] for name in expected} == expected
    assert profile.macs == sum(expected.values()) == sum(own.values())
