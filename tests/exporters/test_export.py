"""What is exported is what was measured, and it loads without this program."""

import io
import json
import math
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
import torch
from torch import fx, nn

from explorer.engine.candidate import prepare
from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError, UnknownNameError
from explorer.exporters.architecture import describe
from explorer.exporters.export import Export, export
from explorer.exporters.load_pruned import PrunedModel, load_pruned, normalise
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import ModelGraph, graph_of
from explorer.loaders.model_text import load
from explorer.loaders.sample_files import weights_path
from explorer.measuring.judging import judge_for
from explorer.registry import EXPORTERS, SAMPLES
from explorer.values.identity import subject_id, weights_id
from explorer.values.profile import ModelProfile
from explorer.values.recipe import Recipe
from explorer.values.subject import Normalisation, Subject

TRAINED = [name for name in SAMPLES if weights_path(name).is_file() and load(name).task.tells_classes]
KINDS = ("structured", "unstructured", "combined")
# always; with --heavy, every kind of every sample
ALL_KINDS = ("digits-mlp", "shapes-resnet")
ONE_KIND = {("shapes-vit", "combined"), ("shapes-detector", "combined")}
COUNTED = {
    "digits": 450,
    "shapes": 200,
    "mnist": 200,
    "shapes-scenes": 100,
    "shapes-masks": 100,
}  # samples; all of the tuning split of digits

# Runs beside the unpacked exports, where this program cannot be imported.
PLAIN_LOOP = """
import json, sys
sys.modules["explorer"] = None
import numpy, torch
from pathlib import Path
torch.set_num_threads(1)
counts = {}
for folder in sorted(path.parent for path in Path().glob("*/architecture.json")):
    sys.path[0] = str(folder)
    sys.modules.pop("load_pruned", None)
    from load_pruned import load_pruned, normalise
    model, about = load_pruned(folder)
    data = numpy.load(about["model"] + ".npz", allow_pickle=False)
    images, targets = torch.from_numpy(data["inputs"]), torch.from_numpy(data["targets"])
    correct, answers = 0, []
    with torch.inference_mode():
        for start in range(0, len(images), 50):
            logits = model(normalise(images[start : start + 50], about))
            if isinstance(logits, (tuple, list)):
                answers.append(logits)
                continue
            correct += int((logits.argmax(1) == targets[start : start + 50]).sum())
    if answers:
        parts = {f"part{k}": torch.cat(part).numpy() for k, part in enumerate(zip(*answers))}
        numpy.savez(folder / "answers.npz", **parts)
    counts[folder.name] = None if answers else correct
print(json.dumps(counts))
"""


def recipe_of(kind, graph):
    channels = {} if kind == "unstructured" else dict.fromkeys(graph.profile.free_groups, 0.1)
    weights = {} if kind == "structured" else dict.fromkeys(graph.profile.prunable_layers, 0.3)
    return Recipe(channels=channels, weights=weights)


def left_out(name, kind):
    return name not in ALL_KINDS and (name, kind) not in ONE_KIND


@pytest.fixture(scope="module")
def shipped(tmp_path_factory, request):
    """(model, kind) -> what the Report counted, what the plain loop counted, the bytes of the zip, the
    Report.
    """
    folder = tmp_path_factory.mktemp("exports")
    exports = {}
    for name in TRAINED:
        subject = load(name)
        samples = COUNTED[subject.task.name]
        kinds = [kind for kind in KINDS if request.config.getoption("--heavy") or not left_out(name, kind)]
        if not kinds:
            continue
        graph, split = graph_of(subject), subject.task.split("tuning").first(samples)
        np.savez(folder / f"{name}.npz", inputs=split.inputs.numpy(), targets=split.targets.numpy())
        for kind in kinds:
            recipe = recipe_of(kind, graph)
            packed = export(Analysed(subject, graph), recipe)
            zipfile.ZipFile(io.BytesIO(packed)).extractall(folder / f"{name} {kind}")
            exports[name, kind] = (
                packed,
                prune(Analysed(subject, graph), recipe, Conditions(samples, latency=False)),
            )
    done = subprocess.run(
        [sys.executable, "-c", PLAIN_LOOP], cwd=folder, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    return {
        key: (report, _counted(folder / " ".join(key), key[0], counts), packed)
        for key, (packed, report) in exports.items()
    }


def _counted(place, name, counts):
    """What the plain loop counted: right classes, or the metric's value of the answers that it wrote."""
    if counts[place.name] is not None:
        return counts[place.name]
    task = load(name).task
    with np.load(place / "answers.npz") as file:
        answers = tuple(torch.from_numpy(file[part]) for part in sorted(file.files))
    targets = task.split("tuning").first(len(answers[0])).targets
    return judge_for(task)(answers, targets).measurement().value


@pytest.mark.parametrize(
    "name, kind",
    [
        pytest.param(name, kind, marks=pytest.mark.heavy if left_out(name, kind) else ())
        for name in TRAINED
        for kind in KINDS
    ],
)
def test_a_plain_loop_over_the_export_counts_what_the_report_says(shipped, name, kind):
    report, counted, packed = shipped[name, kind]
    if report.pruned.correct is None:
        assert counted == pytest.approx(report.pruned.value, abs=0.01) and counted > 0.3
    else:
        assert counted == report.pruned.correct
        assert counted > 0.4 * report.pruned.samples, "a model at chance might agree by chance"
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        sizes = {item.filename: item.file_size for item in archive.infolist()}
        assert Recipe.from_json(json.loads(archive.read("recipe.json"))) == report.recipe
    assert list(sizes) == ["model.safetensors", "recipe.json", "architecture.json", "load_pruned.py"]
    assert sizes["model.safetensors"] == report.pruned.size_bytes["dense"]


def unpacked(packed, folder):
    zipfile.ZipFile(io.BytesIO(packed)).extractall(folder)
    return load_pruned(folder)


def subject_of(model, example, task=None):
    model.eval()
    return Subject(subject_id(model), "mine", model, task, example)


def test_an_export_has_the_original_names_and_can_be_trained(tmp_path):
    subject = load("digits-cnn")
    graph = graph_of(subject)
    model, about = unpacked(export(Analysed(subject, graph), Recipe(channels={"conv1": 0.5})), tmp_path)
    assert set(model.state_dict()) == set(subject.model.state_dict())
    assert model.conv1.weight.shape == (8, 1, 3, 3)
    assert about["input"]["shape"] == [1, 8, 8] and about["classes"] == [str(d) for d in range(10)]
    before = {name: p.clone() for name, p in model.named_parameters()}
    statistics = model.bn1.running_mean.clone()
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    model.train()
    nn.functional.cross_entropy(model(torch.randn(8, 1, 8, 8)), torch.arange(8)).backward()
    optimiser.step()
    assert all(not torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert not torch.equal(model.bn1.running_mean, statistics)


def test_normalise_is_the_tasks():
    task = load("digits-mlp").task
    raw = task.split("tuning").inputs[:5]
    rule = {"scale": 1 / 16, "mean": [0.305], "std": [0.376]}
    assert torch.equal(normalise(raw, {"input": {"normalisation": rule}}), task.normalisation(raw))
    assert task.normalisation == Normalisation(1 / 16, (0.305,), (0.376,))


def test_equal_recipes_give_equal_files():
    subject = load("digits-mlp")
    graph, half = graph_of(subject), Recipe(channels={"hidden1": 0.5})
    assert export(Analysed(subject, graph), half) == export(Analysed(subject, graph), half)
    assert export(Analysed(subject, graph), half) != export(
        Analysed(subject, graph), Recipe(channels={"hidden1": 0.25})
    )


def test_exporting_leaves_the_model_as_it_is():
    subject = load("digits-mlp")
    export(analyse(subject), Recipe(channels={"hidden1": 0.5}, weights={"output": 0.5}))
    assert weights_id(subject.model) == subject.id


def test_the_recipe_alone_comes_back():
    subject, recipe = load("digits-mlp"), Recipe(channels={"hidden1": 0.5}, keep={"hidden1": (3,)}, seed=4)
    written = export(analyse(subject), recipe, "recipe_json")
    assert Recipe.from_json(json.loads(written)) == recipe


def test_every_format_has_a_file_ending_and_a_media_type():
    for name, exporter in EXPORTERS.items():
        assert exporter.traits["extension"].startswith(".") and "/" in exporter.traits["media_type"], name
        assert exporter.tooltip
    with pytest.raises(
        UnknownNameError, match=r"No export format named 'jpeg'\. Available: safetensors, recipe_json"
    ):
        export(analyse(load("digits-mlp")), Recipe(), "jpeg")


# --------------------------------------------------------------------------- folders that were changed


def with_module(kind: str, **arguments):
    def change(about):
        about["modules"]["hidden1"] = {"class": kind, "arguments": arguments}

    return change


def with_node(name: str, *args):
    def change(about):
        last = about["nodes"][-1]
        node = {"name": "own", "call": "operator", "target": name, "args": list(args), "kwargs": {}}
        about["nodes"].insert(-1, node | {"last_use_of": []})
        about["nodes"][-1] = last

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (with_module("LSTM", input_size=1, hidden_size=1, num_layers=10**7), "names the module 'LSTM'"),
        (with_module("Sequential"), "names the module 'Sequential', which no export uses"),
        (with_module("Linear", in_features=10**18, out_features=10**18), "is no complete export"),
        (with_module("Linear", in_features="many", out_features=3), "is no complete export"),
        (with_module("Linear", in_features=3, out_features=3), "size mismatch"),
        (
            lambda about: about["modules"].update({"a." * 500_000 + "a": about["modules"]["hidden1"]}),
            "a name of",
        ),
        (lambda about: about.pop("nodes"), "is no complete export"),
        (lambda about: about["tied"].update(a="b"), "is no complete export"),
        (with_node("pow", 10, 10**9), "numbers that are no sizes"),
        (with_node("mul", 10**40, 10**40), "numbers that are no sizes"),
    ],
)
def test_a_folder_that_was_changed_is_one_sentence_soon(change, sentence, tmp_path):
    unpacked(export(analyse(load("digits-mlp")), Recipe()), tmp_path)
    text = tmp_path / "architecture.json"
    about = json.loads(text.read_text())
    change(about)
    text.write_text(json.dumps(about))
    begun = time.process_time()
    with pytest.raises(ValueError, match=sentence) as refused:
        load_pruned(tmp_path)[0](torch.zeros(1, 1, 8, 8))
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 500
    assert time.process_time() - begun < 5


# --------------------------------------------------------------------------- odd models


class Tied(nn.Module):
    """Two layers with one weight, a buffer, a constant and a loose parameter."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.second = nn.Linear(6, 6)
        self.second.weight = self.first.weight
        self.scale = nn.Parameter(torch.rand(6))
        self.register_buffer("shift", torch.rand(6))
        self.unused = nn.Parameter(torch.rand(3))

    def forward(self, x):
        x = self.second(self.first(x).relu()) * self.scale + self.shift
        return x.masked_fill(x < 0, -math.inf).softmax(1) + torch.tensor([0.0, 0, 0, 0, 0, 1])


def test_tied_weights_are_stored_once_and_read_twice(tmp_path):
    torch.manual_seed(0)
    subject = subject_of(Tied(), torch.randn(2, 6))
    graph = graph_of(subject)
    packed = export(Analysed(subject, graph), Recipe())
    model, about = unpacked(packed, tmp_path)
    ((alias, kept),) = about["tied"].items()
    assert {alias, kept} == {"first.weight", "second.weight"}
    assert model.first.weight is model.second.weight, "training moves both"
    x = torch.randn(9, 6)
    assert torch.allclose(model(x), subject.model(x))
    assert set(subject.model.state_dict()) <= set(model.state_dict())
    assert torch.equal(model.unused, subject.model.unused)
    assert (tmp_path / "model.safetensors").stat().st_size == prepare(
        Analysed(subject, graph), Recipe()
    ).static.size_bytes["dense"]


class TwoAnswers(nn.Module):
    """Outputs in a structure, and a size that depends on the batch."""

    def __init__(self):
        super().__init__()
        self.body = nn.Conv1d(2, 4, 3, padding="same")
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        y = self.drop(self.body(x))
        return {"flat": y.reshape(x.shape[0] * 2, -1), "pair": [y.mean(), y.to(torch.float64)]}


def test_structures_dtypes_and_sizes_come_back(tmp_path):
    subject = subject_of(TwoAnswers(), torch.randn(2, 2, 5))
    model, _ = unpacked(export(analyse(subject), Recipe()), tmp_path)
    x = torch.randn(3, 2, 5)
    found, expected = model(x), subject.model(x)
    assert found["flat"].shape == (6, 10) and torch.allclose(found["flat"], expected["flat"])
    assert found["pair"][1].dtype == torch.float64 and torch.allclose(found["pair"][0], expected["pair"][0])


def test_without_a_graph_weights_and_recipe_are_exported():
    subject = load("digits-mlp")
    layers = graph_of(subject).profile.layers
    blind = ModelGraph(ModelProfile(layers, (), 6570, 6464, "torch.export cannot read this model."))
    packed = export(Analysed(subject, blind), Recipe(weights={"output": 0.5}))
    assert zipfile.ZipFile(io.BytesIO(packed)).namelist() == ["model.safetensors", "recipe.json"]


def traced(function):
    graph = fx.Graph()
    graph.output(graph.call_function(function, (graph.placeholder("x"),)))
    return fx.GraphModule(nn.Module(), graph)


def test_an_operator_without_a_plain_description_is_refused():
    with pytest.raises(
        ExplorerError, match=r"Operator .*relu.* cannot be described; choose another export format"
    ):
        describe(traced(nn.functional.relu))
    assert describe(traced(torch.ops.aten.relu.default))["nodes"][0]["target"] == "relu.default"


def test_a_module_of_its_own_class_is_refused():
    root, graph = nn.Module(), fx.Graph()
    root.mine = type("Mine", (nn.Linear,), {})(2, 2)
    graph.output(graph.call_module("mine", (graph.placeholder("x"),)))
    with pytest.raises(ExplorerError, match="module of type 'Mine' cannot be described"):
        describe(fx.GraphModule(root, graph))


# --------------------------------------------------------------------------- crafted files


def about(**changes):
    plan = {"inputs": ["x"], "modules": {}, "tensors": {}, "tied": {}, "nodes": [], "output": {"node": "x"}}
    return plan | changes


def step(call, target, args):
    return {"name": "y", "call": call, "target": target, "args": args, "kwargs": {}, "last_use_of": []}


def test_a_crafted_architecture_opens_no_files(tmp_path):
    target = tmp_path / "precious"
    target.write_text("precious")
    crafted = about(nodes=[step("aten", "from_file.default", [str(target), True, 100])])
    with pytest.raises(
        ValueError, match=r"uses 'from_file\.default', which is not an operator, or opens files"
    ):
        PrunedModel(crafted, {})(torch.zeros(1))
    assert target.read_text() == "precious"


def test_a_crafted_architecture_calls_nothing_but_modules_and_operators():
    for name in ("Module.__call__", "functional", "init"):
        with pytest.raises((ValueError, AttributeError)):
            PrunedModel(about(modules={"a": {"class": name, "arguments": {}}}), {})
    with pytest.raises(KeyError, match="system"):
        PrunedModel(about(nodes=[step("operator", "system", ["ls"])]), {})(torch.zeros(1))
    for kind in ("module", "tensor"):
        for target in ("load_state_dict", "__init__.__func__.__builtins__.get", "_about.clear", "forward"):
            with pytest.raises(ValueError, match="which is none of its modules and tensors"):
                PrunedModel(about(nodes=[step(kind, target, ["eval"])]), {})(torch.zeros(1))
    for name in ("relu.default.redispatch", "relu.__class__"):
        with pytest.raises((ValueError, AttributeError)):
            PrunedModel(about(nodes=[step("aten", name, [{"node": "x"}])]), {})(torch.zeros(1))
    with pytest.raises(ValueError, match="'load', which is not a type of numbers"):
        PrunedModel(about(nodes=[step("aten", "relu.default", [{"torch": "load"}])]), {})(torch.zeros(1))
    assert (
        PrunedModel(about(nodes=[step("operator", "add", [{"node": "x"}, 1])], output={"node": "y"}), {})(
            torch.ones(1)
        )
        == 2
    )


def test_the_value_of_an_export_is_what_exporters_take():
    subject = load("digits-mlp")
    pruned = Export(analyse(subject), Recipe())
    assert EXPORTERS["safetensors"](pruned) == export(analyse(subject), Recipe())
