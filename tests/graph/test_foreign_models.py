"""Models as users bring them, one unusual trait each: pruned and proven, or told why not."""

import importlib.util
import io
import keyword
import zipfile
from itertools import count

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.audit.audit import audit
from explorer.engine.candidate import prepare
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError, GraphError
from explorer.exporters.export import export
from explorer.exporters.load_pruned import load_pruned
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.autocast import write_casts
from explorer.graph.export import graph_of
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject

NUMBERS = count()  # each model is one of its own


def subject_of(model: nn.Module, *shape: int) -> Subject:
    """A subject without data; weights are those that the caller's seed gave."""
    model = model.eval()
    return Subject(f"own-{next(NUMBERS)}", "own", model, None, torch.randn(2, *shape))


def free(subject: Subject) -> dict[str, int]:
    """Units of each group that can be pruned."""
    return {g.name: g.units for g in graph_of(subject).profile.free_groups.values()}


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
    report = audit(analyse(subject))
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
    report = prune(analyse(subject), recipe, Conditions(latency=False))
    assert report.pruned.nonzero_params < report.baseline.nonzero_params
    assert audit(analyse(subject)).verified


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
    graph = graph_of(subject)
    report = audit(Analysed(subject, graph))
    assert report.verified, report.reason
    recipe = Recipe(channels={f"heads.{name}": 0.5})
    small = prepare(Analysed(subject, graph), recipe).model
    assert f"heads.{name}.weight" in small.state_dict()
    assert export(Analysed(subject, graph), recipe, "python_snippet")
    if keyword.iskeyword(name):  # plain torch could not run such a file
        with pytest.raises(ExplorerError, match="choose another format"):
            export(Analysed(subject, graph), recipe, "pt2")
    else:
        assert export(Analysed(subject, graph), recipe, "pt2")


class Squeezed(nn.Module):
    """Pooled pictures lose all dimensions of extent 1, in one of the ways to write that."""

    def __init__(self, way: str):
        super().__init__()
        self.way, self.a, self.fc = way, nn.Conv2d(1, 8, 3), nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.adaptive_avg_pool2d(torch.relu(self.a(x)), 1)
        if self.way == "all":
            x = x.squeeze()
        elif self.way == "in place":
            x = x.squeeze_()
        elif self.way == "some":
            x = x.squeeze((0, 2, 3))  # the batch among them: it stays unless it is one
        elif self.way == "one":
            x = x.squeeze(-1).squeeze(-1)
        return self.fc(x)


@pytest.mark.parametrize("way", ["all", "in place", "some", "one"])
def test_a_squeeze_takes_neither_the_batch_nor_the_last_channel(way):
    subject = subject_of(Squeezed(way), 1, 8, 8)
    graph = graph_of(subject)
    assert free(subject) == {"a": 8}
    assert audit(Analysed(subject, graph)).verified
    small = prepare(Analysed(subject, graph), Recipe(channels={"a": 0.99})).model
    assert small.a.out_channels == 1 and small(torch.randn(1, 1, 8, 8)).shape == (1, 10)
    dense = prepare(Analysed(subject, graph), Recipe()).model
    x = torch.randn(5, 1, 8, 8)
    assert torch.allclose(dense(x), subject.model(x), atol=1e-6)


class Positioned(nn.Module):
    """Tokens with positions, flattened; or mixed by a fixed table first."""

    def __init__(self, way: str):
        super().__init__()
        self.way, self.position = way, nn.Parameter(torch.randn(1, 7, 8))
        self.register_buffer("table", torch.randn(7, 7))
        self.a, self.fc = nn.Linear(5, 8), nn.Linear(56, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        if self.way == "before":
            x = self.position + x
        elif self.way == "after":
            x = x + self.position
        elif self.way == "mixed":
            x = self.table @ x
        elif self.way == "einsum":
            x = torch.einsum("mn,bnc->bmc", self.table, x)
        return self.fc(x.flatten(1))


@pytest.mark.parametrize("way", ["before", "after", "mixed", "einsum"])
def test_positions_give_way_to_channels(way):
    subject = subject_of(Positioned(way), 7, 5)
    assert free(subject) == {"a": 8}
    assert audit(analyse(subject)).verified


class Routed(nn.Module):
    """The largest of four gates, whose place may choose an expert."""

    def __init__(self, find: str, *, is_read: bool):
        super().__init__()
        self.find, self.is_read = find, is_read
        self.gate, self.experts, self.o = nn.Linear(6, 4), nn.Parameter(torch.randn(4, 6)), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        value, place = getattr(self.gate(x).softmax(-1), self.find)(-1)
        return self.o(x * value[:, None] * (self.experts[place] if self.is_read else 1))


@pytest.mark.parametrize("find", ["max", "min"])
def test_the_place_of_the_largest_keeps_its_meaning(find):
    told = f"goes through arg{find} along its channels"
    assert told in why_frozen(subject_of(Routed(find, is_read=True), 6), "gate")
    beside = subject_of(Routed(find, is_read=False), 6)
    assert free(beside) == {"gate": 4} and audit(analyse(beside)).verified


def why_frozen(subject: Subject, name: str) -> str:
    return next(g.frozen for g in graph_of(subject).profile.groups if g.name == name)


def in_groups(groups: int, norm: str = "module") -> nn.Module:
    """Sixteen channels, normalised in groups."""

    class Grouped(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.norm, self.b = nn.Conv1d(1, 16, 3), nn.GroupNorm(groups, 16), nn.Conv1d(16, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.a(x)
            given = self.norm(x) if norm == "module" else F.group_norm(x, groups)
            return self.b(F.gelu(given))

    return Grouped()


@pytest.mark.parametrize("norm", ["module", "function"])
@pytest.mark.parametrize(("groups", "units"), [(16, 16), (8, 8), (4, 4), (2, 8), (1, 16)])
def test_small_groups_of_a_norm_go_whole(groups, units, norm):
    subject = subject_of(in_groups(groups, norm), 1, 40)
    graph = graph_of(subject)
    assert free(subject) == {"a": units}
    report = audit(Analysed(subject, graph))
    assert report.verified, report.reason
    small = prepare(Analysed(subject, graph), Recipe(channels={"a": 0.5})).model
    own = in_groups(groups, norm)  # by hand: the same code with half the channels
    own.a, own.b = nn.Conv1d(1, 8, 3), nn.Conv1d(8, 4, 3)
    own.norm = nn.GroupNorm(groups // 2 if 16 // groups <= groups else groups, 8)
    if norm == "module":
        own.load_state_dict(small.state_dict())
        x = torch.randn(3, 1, 40)
        assert torch.allclose(own(x), small(x), atol=1e-6)


class Noisy(nn.Module):
    """Random numbers in the forward, in one of the ways to draw them."""

    def __init__(self, way: str):
        super().__init__()
        self.way = way
        self.e, self.mean, self.d = nn.Linear(20, 16), nn.Linear(16, 6), nn.Linear(6, 16)
        self.o = nn.Linear(16, 20)

    def drawn(self, mean: Tensor) -> Tensor:
        ways = {
            "randn_like": lambda: mean + torch.randn_like(mean),
            "rand_like": lambda: mean * torch.rand_like(mean),
            "randn": lambda: mean + torch.randn(mean.shape),
            "new_empty": lambda: mean + mean.new_empty(mean.shape).normal_(),
            "bernoulli_": lambda: mean * torch.empty_like(mean).bernoulli_(0.5),
            "bernoulli": lambda: mean * torch.bernoulli(torch.sigmoid(mean)),
            "normal": lambda: torch.normal(mean, torch.ones_like(mean)),
            "dropout": lambda: F.dropout(mean, 0.5, training=True),
            "one a sample": lambda: mean * torch.rand(len(mean), 1),
        }
        return ways[self.way]()

    def forward(self, x: Tensor) -> Tensor:
        return self.o(torch.relu(self.d(self.drawn(self.mean(torch.relu(self.e(x)))))))


NOISE = (
    "randn_like",
    "rand_like",
    "randn",
    "new_empty",
    "bernoulli_",
    "bernoulli",
    "normal",
    "dropout",
    "one a sample",
)


@pytest.mark.parametrize("way", NOISE)
def test_random_numbers_are_cut_with_their_channels_and_proven(way):
    subject = subject_of(Noisy(way), 20)
    graph = graph_of(subject)
    assert free(subject) == {"e": 16, "mean": 6, "d": 16}
    report = audit(Analysed(subject, graph))
    assert report.verified, report.reason
    small = prepare(Analysed(subject, graph), Recipe(channels=dict.fromkeys(("e", "mean", "d"), 0.5))).model
    own = Noisy(way)  # by hand: the same code with half the channels, from the same seed
    own.e, own.mean, own.d, own.o = nn.Linear(20, 8), nn.Linear(8, 3), nn.Linear(3, 8), nn.Linear(8, 20)
    own.load_state_dict(small.state_dict())
    answers = []
    for model in (own, small):
        torch.manual_seed(5)
        answers.append(model(torch.ones(3, 20)))
    assert torch.allclose(*answers, atol=1e-6)
    assert not torch.equal(small(torch.ones(3, 20)), answers[1])  # it is random still


def test_a_wrong_wiring_in_front_of_random_numbers_is_seen():
    subject = subject_of(Noisy("bernoulli"), 20)
    report = audit(analyse(subject))
    assert report.negative_control > 1e-4


@pytest.mark.parametrize("way", ["unsqueeze_", "transpose_", "swapaxes_", "t_"])
def test_shapes_that_change_in_place_are_followed(way):
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.fc = nn.Linear(5, 8), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.a(x)) * 1.0
            ways = {
                "unsqueeze_": lambda: x.unsqueeze_(1).sum(1),
                "transpose_": lambda: x.transpose_(0, 1).transpose(0, 1),
                "swapaxes_": lambda: x.swapaxes_(0, 1).swapaxes_(0, 1),
                "t_": lambda: x.t_().t(),
            }
            return self.fc(ways[way]())

    subject = subject_of(Turned(), 5)
    assert free(subject) == {"a": 8}
    assert audit(analyse(subject)).verified


class Autocast(nn.Module):
    """A part of the forward, or all of it, under autocast."""

    def __init__(self, way: str):
        super().__init__()
        self.way = way
        self.a, self.norm, self.b = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3)
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        if self.way == "a convolution":
            x = torch.relu(self.norm(self.a(x)))
            with torch.autocast("cpu", dtype=torch.bfloat16):
                x = torch.relu(self.b(x))
            return self.fc(x.float().mean((2, 3)))
        with torch.autocast(x.device.type, dtype=torch.bfloat16):
            x = torch.relu(self.norm(self.a(x)))
            if self.way == "all but a convolution":
                with torch.autocast("cpu", enabled=False):
                    x = self.b(x.float())
            elif self.way == "gradients off inside":
                with torch.no_grad():
                    x = self.b(x)
            elif self.way == "einsum":
                x = torch.einsum("oiyx,nihw->nohw", self.b.weight[:, :, :1, :1], x.float())
            elif self.way == "two types meet":
                x = torch.cat([self.b(x), x[:, :, 2:, 2:].float()], 1)[:, :8]
            else:
                x = self.b(x)
            return self.fc(x.mean((2, 3)))


AUTOCAST = (
    "a convolution",
    "all",
    "all but a convolution",
    "gradients off inside",
    "einsum",
    "two types meet",
)


def opened(packed: bytes, folder) -> nn.Module:
    """The model of an exported zip or Python file."""
    if packed.startswith(b"PK"):
        zipfile.ZipFile(io.BytesIO(packed)).extractall(folder)
        return load_pruned(folder)[0]
    (folder / "pruned_own.py").write_bytes(packed)
    spec = importlib.util.spec_from_file_location("pruned_own", folder / "pruned_own.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build()


@pytest.mark.parametrize("way", AUTOCAST)
def test_what_autocast_casts_is_cast_in_the_smaller_model(way, tmp_path):
    subject = subject_of(Autocast(way), 3, 10, 10)
    model = analyse(subject)
    assert set(free(subject)) == {"a", "b"}
    x = torch.randn(3, 3, 10, 10)
    dense = prepare(model, Recipe()).model
    with torch.no_grad():
        own = subject.model(x)
        assert torch.equal(dense(x), own)  # bit for bit, and of the same type
        casts = [node for node in dense.graph.nodes if torch.bfloat16 in node.args]
        for node in casts:  # the negative control: without the casts the numbers are others
            node.args = (node.args[0], torch.float32)
        dense.recompile()
        assert casts and not torch.equal(dense(x).float(), own.float())
    assert audit(model).verified
    recipe = Recipe(channels={"a": 0.5, "b": 0.5})
    small = prepare(model, recipe).model
    with torch.no_grad():
        for format in ("safetensors", "python_snippet") if way in AUTOCAST[:2] else ():
            assert torch.equal(opened(export(model, recipe, format), tmp_path)(x), small(x))


def test_a_transformer_under_autocast_is_proven():
    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.fc = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), nn.Linear(16, 3)

        def forward(self, x: Tensor) -> Tensor:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return self.fc(self.inner(x).mean(1))

    report = audit(analyse(subject_of(Encoder(), 5, 16)))
    assert report.verified and report.graph_rel_diff == 0, report.reason


def why_not(model: nn.Module, *shape: int) -> str:
    """Why a model has no graph."""
    return str(graph_of(subject_of(model, *shape)).profile.error)


def test_an_autocast_that_cannot_be_written_out_is_one_sentence():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.GRU(4, 5)

        def forward(self, x: Tensor) -> Tensor:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return self.inner(x)[0]

    assert why_not(Recurrent(), 3, 4) == (
        "Under torch.autocast 'gru' in inner casts between its own steps; take it out of autocast to prune "
        "channels, weights can be."
    )
    with pytest.raises(
        GraphError, match=r"The forward uses torch.autocast\('cuda'\), but models are read on"
    ):
        write_casts(torch.fx.Graph(), "cuda", torch.float16)


LOADED = {
    "one scale": (lambda: Scaled(torch.tensor(2.0)), (3, 8, 8), "a"),
    "volumes": (Stereo, (3, 16, 16), "v"),
    "a gate": (lambda: Gate(4), (5,), "a"),
    "a layer called class": (lambda: Keywords("class"), (3, 8, 8), "heads.class"),
    "squeezed": (lambda: Squeezed("some"), (1, 8, 8), "a"),
    "positions": (lambda: Positioned("einsum"), (7, 5), "a"),
    "norm in groups": (lambda: in_groups(4), (1, 40), "a"),
}


@pytest.mark.parametrize("name", LOADED)
def test_an_export_is_loaded_without_the_code_and_answers_alike(name, tmp_path):
    make, shape, group = LOADED[name]
    model = analyse(subject_of(make(), *shape))
    recipe, x = Recipe(channels={group: 0.5}), torch.randn(5, *shape)
    loaded = opened(export(model, recipe, "safetensors"), tmp_path)
    with torch.no_grad():
        answers = loaded(x)
        assert torch.allclose(answers, prepare(model, recipe).model(x), atol=1e-6)
        assert not torch.allclose(answers, model.subject.model(x), atol=1e-4)  # the negative control
