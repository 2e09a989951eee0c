"""Models as users bring them, one unusual trait each: pruned and proven, or told why not."""

import keyword

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.audit import audit
from explorer.engine.candidate import prepare
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError
from explorer.exporters import export
from explorer.graph.export import analyse
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject, subject_id


def subject_of(model: nn.Module, *shape: int) -> Subject:
    """A subject without data; weights are those that the caller's seed gave."""
    model = model.eval()
    return Subject(subject_id(model), "own", model, None, torch.randn(2, *shape))


def free(subject: Subject) -> dict[str, int]:
    """Units of each group that can be pruned."""
    return {g.name: g.units for g in analyse(subject).profile.free_groups.values()}


@pytest.fixture(autouse=True)
def one_seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


class Scaled(nn.Module):
    """One number scales all outputs, as in CLIP."""

    def __init__(self, scale: Tensor):
        super().__init__()
        self.a, self.b, self.scale = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3), nn.Parameter(scale)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.relu(self.a(x))) * self.scale


@pytest.mark.parametrize("scale", [torch.tensor(2.0), torch.tensor(1e-5), torch.tensor([2.0])])
def test_a_parameter_without_dimensions_is_proven_like_any_other(scale):
    subject = subject_of(Scaled(scale), 3, 8, 8)
    report = audit(subject, analyse(subject))
    assert report.verified, report.reason
    assert report.params_after == 261 and report.max_rel_diff < 1e-8 < 1e-4 < report.negative_control


class Stereo(nn.Module):
    """Weights of four and of five dimensions: a stack of shifted features goes through volumes."""

    def __init__(self):
        super().__init__()
        self.f, self.g = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 6, 3, padding=1)
        self.v, self.o = nn.Conv3d(6, 8, 3, padding=1), nn.Conv3d(8, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        f = torch.relu(self.g(torch.relu(self.f(x))))
        volume = torch.stack([f * f.roll(d, 3) for d in range(4)], 2)
        return self.o(torch.relu(self.v(volume))).squeeze(1).softmax(1)


@pytest.mark.parametrize(
    "recipe", [Recipe(channels={"f": 0.5, "v": 0.5}), Recipe(weights={"f": 0.5, "v": 0.5})]
)
def test_weights_of_four_and_five_dimensions_are_measured(recipe):
    subject = subject_of(Stereo(), 3, 16, 16)
    report = prune(subject, analyse(subject), recipe, Conditions(latency=False))
    assert report.pruned.nonzero_params < report.baseline.nonzero_params
    assert audit(subject, analyse(subject)).verified


class Gate(nn.Module):
    """The first half of the channels, gated by the second."""

    def __init__(self, units: int):
        super().__init__()
        self.a, self.fc = nn.Linear(5, 2 * units), nn.Linear(units, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.glu(self.a(x)))


@pytest.mark.parametrize(("units", "expected"), [(1, {}), (2, {"a": 2}), (4, {"a": 4})])
def test_each_half_of_a_gate_keeps_a_channel(units, expected):
    assert free(subject_of(Gate(units), 5)) == expected


class Keywords(nn.Module):
    """Layers called like words of Python, as keys of an nn.ModuleDict may be."""

    def __init__(self, name: str):
        super().__init__()
        self.name = name
        self.heads = nn.ModuleDict({name: nn.Conv2d(3, 8, 1), "out": nn.Conv2d(8, 2, 1)})

    def forward(self, x: Tensor) -> Tensor:
        return self.heads["out"](torch.relu(self.heads[self.name](x)))


@pytest.mark.parametrize("name", ["class", "for", "None", "a b", "x=1,y", "match", "classes"])
def test_layers_may_be_called_like_words_of_python(name):
    subject = subject_of(Keywords(name), 3, 8, 8)
    graph = analyse(subject)
    report = audit(subject, graph)
    assert report.verified, report.reason
    recipe = Recipe(channels={f"heads.{name}": 0.5})
    small = prepare(subject, graph, recipe).model
    assert f"heads.{name}.weight" in small.state_dict()
    assert export(subject, graph, recipe, "python_snippet")
    if keyword.iskeyword(name):  # plain torch could not run such a file
        with pytest.raises(ExplorerError, match="choose another format"):
            export(subject, graph, recipe, "pt2")
    else:
        assert export(subject, graph, recipe, "pt2")
