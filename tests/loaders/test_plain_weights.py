"""Weights that are computed before each forward: a zero is a zero, and what is left stays as it was."""

import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

from explorer.engine.candidate import build, prepare
from explorer.errors import LoadError
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.loaders.plain_weights import fold_parametrisations
from explorer.loaders.weights import load_weights
from explorer.pruning.computed_weights import changed_by
from explorer.pruning.decision import masks_for
from explorer.values.identity import subject_id
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject

SHAPE = (3, 8, 8)
EXACT = 1e-5  # float32 sums in another order


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 12, 3, padding=1)
        self.fc = nn.Linear(12, 4)

    def forward(self, x):
        return self.fc(torch.relu(self.b(torch.relu(self.a(x)))).mean((2, 3)))


class Standardised(nn.Module):
    def forward(self, w):
        dims = tuple(range(1, w.dim()))
        return (w - w.mean(dims, keepdim=True)) / (w.std(dims, keepdim=True) + 1e-5)


class Positive(nn.Module):
    def forward(self, w):
        return functional.softplus(w)


class LowRank(nn.Module):
    """An update of rank two, as fine-tuning adds it."""

    def __init__(self, weight: Tensor):
        super().__init__()
        rows, columns = len(weight), weight[0].numel()
        self.p, self.q = nn.Parameter(torch.randn(rows, 2)), nn.Parameter(torch.randn(2, columns))

    def forward(self, w):
        return w + (self.p @ self.q).view_as(w) / 10


def all_layers(action):
    def change(net):
        for layer in (net.a, net.b, net.fc):
            action(layer)

    return change


KINDS = {
    "weight norm": all_layers(parametrizations.weight_norm),
    "weight norm of one length": all_layers(lambda layer: parametrizations.weight_norm(layer, dim=None)),
    "weight norm by hooks": all_layers(weight_norm),
    "spectral norm": all_layers(parametrizations.spectral_norm),
    "spectral norm by hooks": all_layers(spectral_norm),
    "orthogonal": lambda net: parametrizations.orthogonal(net.fc),
    "standardised": all_layers(lambda la: parametrize.register_parametrization(la, "weight", Standardised())),
    "positive": all_layers(lambda la: parametrize.register_parametrization(la, "weight", Positive())),
    "low rank": all_layers(lambda la: parametrize.register_parametrization(la, "weight", LowRank(la.weight))),
    "bias": all_layers(lambda layer: parametrize.register_parametrization(layer, "bias", Positive())),
    "pruned": all_layers(lambda layer: prune.l1_unstructured(layer, "weight", 0.5)),
    "pruned channels": lambda net: prune.ln_structured(net.b, "weight", 0.5, 2, 0),
    "frozen": lambda net: parametrizations.weight_norm(net.b.requires_grad_(False)),
}


def network_of(kind: str) -> nn.Module:
    torch.manual_seed(0)
    net = Net()
    with warnings.catch_warnings(action="ignore"):  # old ways are meant here
        KINDS[kind](net)
    with torch.no_grad():
        net(torch.randn(2, *SHAPE))  # one step of what spectral normalisation iterates
    return net.eval()


def subject_of(model: nn.Module) -> Subject:
    return Subject(subject_id(model), "own", model, None, torch.randn(2, *SHAPE))


def weight_of(layer: nn.Module) -> Tensor:
    return layer.weight.detach()


def silenced(model: nn.Module, group: str, kept: Tensor, x: Tensor) -> Tensor:
    """The answers while channels of a layer are held at zero, which no weight is changed for."""
    hook = model.get_submodule(group).register_forward_hook(lambda m, i, out: out * kept.view(1, -1, 1, 1))
    with torch.no_grad():
        found = model(x)
    hook.remove()
    return found


def with_zeros(model: nn.Module, name: str, kept: Tensor, x: Tensor) -> Tensor:
    """The answers while weights of a layer, as they are used, are zero."""
    layer = model.get_submodule(name)
    weight = weight_of(layer) * kept

    def instead(module, inputs, output):
        if weight.dim() == 2:
            return functional.linear(inputs[0], weight, module.bias)
        return functional.conv2d(inputs[0], weight, module.bias, padding=1)

    hook = layer.register_forward_hook(instead)
    with torch.no_grad():
        found = model(x)
    hook.remove()
    return found


def apart(found: Tensor, right: Tensor) -> float:
    return float((found.detach() - right).abs().max() / right.abs().max())


def errors(model: nn.Module, subject: Subject) -> tuple[list[float], set[str]]:
    """How far the smaller models are from the model with that silenced, and what is said to change.

    Args:
        model: what is silenced; another one than that of the subject.
    """
    analysed, x = analyse(subject), torch.randn(4, *SHAPE)
    distances, said = [], set()
    for group in ("a", "b"):
        masks = masks_for(analysed, Recipe(channels={group: 0.5}))
        distances.append(apart(build(analysed, masks)(x), silenced(model, group, masks.channels[group], x)))
        said |= set(changed_by(analysed, masks))
    for layer in ("a", "b", "fc"):
        masks = masks_for(analysed, Recipe(weights={layer: 0.5}))
        distances.append(apart(build(analysed, masks)(x), with_zeros(model, layer, masks.weights[layer], x)))
        said |= set(changed_by(analysed, masks))
    return distances, said


@pytest.mark.parametrize("kind", KINDS)
def test_a_folded_model_answers_as_before_and_holds_plain_parameters(kind):
    model, folded, x = network_of(kind), network_of(kind), torch.randn(4, *SHAPE)
    assert fold_parametrisations(folded)
    with torch.no_grad():
        assert apart(folded(x), model(x)) < EXACT
    assert set(dict(folded.named_parameters())) == set(dict(Net().named_parameters()))
    assert not dict(folded.named_buffers()) and fold_parametrisations(folded) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_left_of_a_folded_model_stays_as_it_was(kind):
    folded = network_of(kind)
    fold_parametrisations(folded)
    found, said = errors(network_of(kind), subject_of(folded))
    assert max(found) < EXACT and not said


@pytest.mark.parametrize("kind", ["weight norm", "weight norm by hooks", "spectral norm", "standardised"])
def test_without_folding_it_grows_and_that_is_said(kind):
    """The negative control, for the measure and for the warning."""
    found, said = errors(network_of(kind), subject_of(network_of(kind)))
    assert max(found) > 0.01 and said >= {"b"}


@pytest.mark.parametrize("kind", ["pruned", "bias"])
def test_where_zeros_stay_zeros_nothing_is_said(kind):
    found, said = errors(network_of(kind), subject_of(network_of(kind)))
    assert max(found) < EXACT and not said


FILE = """
import torch
from torch import nn
from torch.nn.utils import parametrizations
input_shape = (3, 8, 8)

class Standardised(nn.Conv2d):
    def forward(self, x):
        w = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return self._conv_forward(x, w / w.flatten(1).norm(dim=1).view(-1, 1, 1, 1), self.bias)

def normed():
    return nn.Sequential(parametrizations.weight_norm(nn.Conv2d(3, 8, 3)), nn.ReLU(), nn.Conv2d(8, 4, 3),
                         nn.Flatten(), nn.Linear(64, 3))

def own():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), Standardised(8, 4, 3), nn.Flatten(), nn.Linear(64, 3))
"""


def test_a_model_of_a_file_is_folded_and_says_so(tmp_path):
    (tmp_path / "m.py").write_text(FILE)
    subject = load(f"{tmp_path / 'm.py'}:normed")
    assert "folded in (0)" in subject.card["description"]
    assert "0.weight" in subject.model.state_dict() and "0" in analyse(subject).profile.prunable_layers


def test_weights_that_a_forward_computes_are_named_where_a_cut_changes_them(tmp_path):
    (tmp_path / "m.py").write_text(FILE)
    own = analyse(load(f"{tmp_path / 'm.py'}:own"))
    assert "folded" not in own.subject.card["description"]
    for recipe in (Recipe(channels={"0": 0.5}), Recipe(weights={"2": 0.5})):
        (note,) = prepare(own, recipe).notes
        assert "'2'" in note and "change" in note
    assert not prepare(own, Recipe(weights={"0": 0.5})).notes
    assert not prepare(own, Recipe()).notes


class SharedHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.head = nn.Embedding(6, 4), nn.Linear(4, 6, bias=False)
        self.head.weight = self.words.weight


def test_two_tensors_for_one_that_the_model_shares_are_refused(tmp_path):
    first, path = torch.rand(6, 4), tmp_path / "w.pt"
    torch.save({"words.weight": first, "head.weight": first.clone()}, path)
    model = SharedHead()
    load_weights(model, path)
    assert torch.equal(model.words.weight, first)
    torch.save({"words.weight": first, "head.weight": first + 1}, path)
    with pytest.raises(LoadError, match=r"holds other numbers as 'words\.weight' than as 'head\.weight'"):
        load_weights(model, path)
