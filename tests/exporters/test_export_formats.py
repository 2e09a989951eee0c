"""What each other format holds: the same model, counted by its own runtime; tables and pages that foreign
text cannot break.
"""

import csv as csv_module
import io
import json
import math
import re
import subprocess
import sys
import warnings
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from explorer.engine.conditions import Conditions
from explorer.engine.measure import prune
from explorer.errors import ExplorerError, LoadError
from explorer.exporters import onnx as onnx_format
from explorer.exporters import python_snippet
from explorer.exporters.export import Export, export
from explorer.exporters.html_report import verdict
from explorer.exporters.pt2 import WARNING
from explorer.exporters.who_gains import EVERYWHERE, STORAGE_ONLY, TWO_OF_FOUR, UNCHANGED, who_gains
from explorer.graph.analysed import Analysed, analyse
from explorer.graph.export import ModelGraph, graph_of
from explorer.loaders.model_text import load
from explorer.values.identity import subject_id
from explorer.values.profile import ModelProfile
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject

MODELS = {"digits-cnn": 450, "shapes-vit": 50}  # samples counted

# Runs where this program cannot be imported.
PLAIN_LOOP = """
import importlib.util, json, sys
sys.modules["explorer"] = None
import numpy, torch
from pathlib import Path
torch.set_num_threads(1)
counts = {}
for path in sorted(Path().glob("*.py")):
    spec = importlib.util.spec_from_file_location("pruned", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model, data = module.build(), numpy.load(path.with_suffix(".npz"), allow_pickle=False)
    images, targets = torch.from_numpy(data["inputs"]), torch.from_numpy(data["targets"])
    with torch.inference_mode():
        counts[path.stem] = int((model(module.normalise(images)).argmax(1) == targets).sum())
print(json.dumps(counts))
"""


def recipe_of(graph):
    profile = graph.profile
    return Recipe(
        channels=dict.fromkeys(profile.free_groups, 0.1), weights=dict.fromkeys(profile.prunable_layers, 0.2)
    )


@pytest.fixture(scope="module")
def counted():
    """Model -> subject, graph, recipe, its Report, the samples."""
    measured = {}
    for name, samples in MODELS.items():
        subject = load(name)
        graph = graph_of(subject)
        recipe = recipe_of(graph)
        report = prune(Analysed(subject, graph), recipe, Conditions(samples, latency=False))
        measured[name] = subject, graph, recipe, report, subject.task.split("tuning").first(samples)
    return measured


def correct(logits, split):
    return int((torch.as_tensor(logits).argmax(1) == split.targets).sum())


# --------------------------------------------------------------------------- one Python file


def test_the_python_file_counts_what_the_report_says(counted, tmp_path):
    for name, (subject, graph, recipe, _, split) in counted.items():
        (tmp_path / f"{name}.py").write_bytes(export(Analysed(subject, graph), recipe, "python_snippet"))
        np.savez(tmp_path / f"{name}.npz", inputs=split.inputs.numpy(), targets=split.targets.numpy())
    done = subprocess.run(
        [sys.executable, "-c", PLAIN_LOOP], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        name: report.pruned.correct for name, (_, _, _, report, _) in counted.items()
    }


def run_file(text, name="pruned.py"):
    module: dict = {"__name__": "pruned"}
    exec(compile(text, name, "exec"), module)
    return module


def test_the_python_file_reads_like_code_and_names_only_what_differs():
    subject = load("digits-cnn")
    text = export(analyse(subject), Recipe(channels={"conv1": 0.5}), "python_snippet").decode()
    assert (
        "put(self, 'conv1', nn.Conv2d(in_channels=1, out_channels=8, kernel_size=(3, 3), padding=(1, 1), "
        "bias=False))" in text
    )
    assert "        bn1 = self.bn1(conv1); del conv1\n" in text
    assert export(analyse(subject), Recipe(channels={"conv1": 0.5}), "python_snippet").decode() == text


class Odd(nn.Module):
    """Tied weights, a loose parameter, a buffer, an infinite constant, a scalar buffer, names that Python
    knows.
    """

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.second = nn.Linear(6, 6)
        self.second.weight = self.first.weight
        self.scale = nn.Parameter(torch.rand(6))
        self.register_buffer("shift", torch.rand(6))
        self.register_buffer("count", torch.tensor(3))

    def forward(self, aten):
        torch_ = self.second(self.first(aten).relu()) * self.scale + self.shift * self.count
        return torch_.masked_fill(torch_ < 0, -math.inf).softmax(1)


def odd():
    torch.manual_seed(0)
    model = Odd().eval()
    return Subject(subject_id(model), 'odd """ {{WEIGHTS}}', model, None, torch.randn(2, 6))


def test_the_python_file_keeps_tied_weights_constants_and_hostile_names():
    subject = odd()
    module = run_file(export(analyse(subject), Recipe(), "python_snippet"))
    model, x = module["build"](), torch.randn(5, 6)
    assert module["MODEL"] == subject.name
    assert torch.allclose(model(x), subject.model(x))
    assert model.first.weight is model.second.weight
    assert model.scale.requires_grad and not model.shift.requires_grad
    nn.functional.cross_entropy(model(x), torch.zeros(5, dtype=torch.long)).backward()
    assert model.first.weight.grad is not None


@pytest.mark.parametrize(
    "node",
    [
        {"call": "aten", "target": "relu.default; import os", "name": "y"},
        {"call": "aten", "target": "relu.default", "name": "y=1; import os"},
        {"call": "operator", "target": "__import__('os')", "name": "y"},
    ],
)
def test_a_crafted_graph_becomes_no_other_code(node):
    nodes = [node | {"args": [], "kwargs": {}, "last_use_of": []}]
    described = {
        "model": "m",
        "input": {},
        "classes": None,
        "recipe": {},
        "tied": {},
        "modules": {},
        "tensors": {},
        "inputs": ["x"],
        "nodes": nodes,
        "output": {"node": "x"},
    }
    with pytest.raises(ExplorerError, match="cannot be written as code"):
        python_snippet.source(described, {})


def test_a_large_model_or_one_without_a_graph_is_no_python_file(monkeypatch):
    subject = load("digits-mlp")
    monkeypatch.setattr(python_snippet, "LARGEST", 1000)
    with pytest.raises(
        ExplorerError, match=r"26,736 bytes of weights are too many for a Python file \(at most 1,000\)"
    ):
        export(analyse(subject), Recipe(), "python_snippet")
    blind = ModelGraph(ModelProfile(graph_of(subject).profile.layers, (), 6570, 6464, "no graph"))
    with pytest.raises(ExplorerError, match="has no graph, so its layers cannot be written as code"):
        export(Analysed(subject, blind), Recipe(), "python_snippet")


# --------------------------------------------------------------------------- pt2


def test_the_pt2_program_counts_what_the_report_says(counted):
    subject, graph, recipe, report, split = counted["digits-cnn"]
    said = []
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        content = export(Analysed(subject, graph), recipe, "pt2", say=said.append)
    extra = {"about.json": "", "recipe.json": ""}
    model = torch.export.load(io.BytesIO(content), extra_files=extra).module()
    assert correct(model(subject.task.normalisation(split.inputs)), split) == report.pruned.correct
    assert Recipe.from_json(json.loads(extra["recipe.json"])) == recipe
    assert json.loads(extra["about.json"])["input"]["shape"] == [1, 8, 8]
    assert said == [WARNING] and "only from places that you trust" in WARNING


# --------------------------------------------------------------------------- ONNX


def onnx_packages():
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason=f"package {name} of the extra 'onnx' is not installed")


@pytest.fixture(scope="module")
def written(counted):
    """The file, and what was said of it."""
    onnx_packages()
    said: list[str] = []
    subject, graph, recipe = counted["digits-cnn"][:3]
    return export(Analysed(subject, graph), recipe, "onnx", say=said.append), said


def test_onnx_counts_what_the_report_says_at_any_batch(counted, written):
    import onnx
    import onnxruntime

    subject, _, recipe, report, split = counted["digits-cnn"]
    content, said = written
    runtime = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    answers = runtime.run(None, {"inputs": subject.task.normalisation(split.inputs).numpy()})[0]
    assert len(answers) == 450 and correct(answers, split) == report.pruned.correct
    facts = {entry.key: entry.value for entry in onnx.load_from_string(content).metadata_props}
    assert facts["parity"] == said[0] and "differ from torch's by at most" in said[0]
    assert Recipe.from_json(json.loads(facts["recipe"])) == recipe
    assert json.loads(facts["input"])["normalisation"]["scale"] == 1 / 16


def test_a_file_that_answers_otherwise_is_noticed(counted, written):
    subject, graph, recipe, _, split = counted["digits-cnn"]
    content, questions = written[0], subject.task.normalisation(split.inputs[:5])
    model = Export(Analysed(subject, graph), recipe).model
    assert onnx_format.parity(content, model, {"inputs": questions}) < 1e-5
    with torch.no_grad():
        model.get_submodule("fc").bias[3] += 0.5
    assert onnx_format.parity(content, model, {"inputs": questions}) > 1e-3


def test_onnx_is_refused_where_its_answers_differ(counted, monkeypatch):
    onnx_packages()
    monkeypatch.setattr(onnx_format, "parity", lambda written, model, questions: 0.02)
    subject = load("digits-mlp")
    with pytest.raises(
        ExplorerError, match=r"ONNX Runtime's answers differ by 2\.0e-02 .* choose another format"
    ):
        export(analyse(subject), Recipe(), "onnx")


class Unusual(nn.Module):
    """Something that ONNX, or its runtime, cannot."""

    def __init__(self, way: str):
        super().__init__()
        self.way, self.a, self.b = way, nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.b(torch.relu(self.a(x)))
        if self.way == "bfloat16":
            return found.bfloat16()
        return torch.special.i0(found) if self.way == "bessel" else found.half().double().float()


def test_onnx_says_which_numbers_or_operators_it_cannot():
    onnx_packages()

    def written(way: str) -> bytes:
        model = Unusual(way).eval()
        return export(analyse(Subject(way, way, model, None, torch.ones(2, 6))), Recipe(), "onnx")

    with pytest.raises(ExplorerError) as caught:
        written("bfloat16")
    assert str(caught.value) == (
        "This model computes in bfloat16, which ONNX Runtime cannot run; a model for ONNX computes in "
        "float32, float64 or float16: take what casts to bfloat16 out of its forward, or choose another "
        "format."
    )
    with pytest.raises(
        ExplorerError, match=r"cannot be written as ONNX \(No ONNX function found for .*bessel"
    ):
        written("bessel")
    assert written("half and double")  # the negative control


def test_without_its_packages_onnx_says_what_to_install(counted, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    subject, graph, recipe, _, _ = counted["digits-cnn"]
    with pytest.raises(LoadError, match=r"pip install 'pruning-explorer\[onnx\]'"):
        export(Analysed(subject, graph), recipe, "onnx")


# --------------------------------------------------------------------------- tables, figures, report


def files(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_the_tables_hold_what_was_measured(counted):
    subject, graph, recipe, report, _ = counted["digits-cnn"]
    tables = files(export(Analysed(subject, graph), recipe, "csv", report=report))
    assert set(tables) == {"measured.csv", "parts.csv", "groups.csv", "layers.csv", "dense_layers.csv"}
    rows = {row["quantity"]: row for row in csv_module.DictReader(io.StringIO(tables["measured.csv"]))}
    assert float(rows["accuracy"]["pruned"]) == report.pruned.accuracy
    assert float(rows["dense_bytes"]["dense"]) == report.baseline.size_bytes["dense"]
    assert float(rows["drop_low"]["pruned"]) == report.drop.low
    layers = list(csv_module.DictReader(io.StringIO(tables["layers.csv"])))
    assert sum(int(row["pruned_params"]) for row in layers) == report.pruned.params


HOSTILE = '</script><script>alert("x")</script><img src=x onerror=alert(1)>'


def hostile(report):
    layer, part = (
        replace(report.layers[0], name=HOSTILE),
        replace(report.parts[0], name="=cmd|' /C calc'!A0", reason="@SUM(1)"),
    )
    about = dict(report.subject) | {"name": HOSTILE}
    return replace(
        report,
        layers=(layer, *report.layers[1:]),
        parts=(part, *report.parts[1:]),
        subject=about,
        notes=(HOSTILE,),
    )


def test_formulas_become_text(counted):
    subject, graph, recipe, report, _ = counted["digits-cnn"]
    text = files(export(Analysed(subject, graph), recipe, "csv", report=hostile(report)))["parts.csv"]
    first = next(csv_module.DictReader(io.StringIO(text)))
    assert first["name"].startswith("'=cmd") and first["reason"] == "'@SUM(1)"


def test_the_report_is_one_page_with_every_number_and_no_address(counted):
    subject, graph, recipe, report, _ = counted["digits-cnn"]
    text = export(Analysed(subject, graph), recipe, "html_report", report=report).decode()
    assert verdict(report).split(" %")[0] in text and "points" in verdict(report)
    measured = report.pruned
    assert (
        f"{measured.accuracy * 100:.1f} %" in text
        and f"{measured.samples:,} of {report.total_samples:,}" in text
    )
    assert f"{measured.params:,}" in text and f"{measured.size_bytes['deflate']:,}" in text
    assert all(sentence.split(":")[0] in text for sentence in who_gains(recipe))
    assert text.count("<div id=") >= 4 and "default-src 'none'" in text
    page = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"(src|href)=|@import", page), (
        "nothing is fetched; the policy in the head forbids it too"
    )


def test_foreign_text_is_no_markup_in_the_report(counted):
    subject, graph, recipe, report, _ = counted["digits-cnn"]
    text = export(Analysed(subject, graph), recipe, "html_report", report=hostile(report)).decode()
    assert "<script>alert" not in text and "<img src=x" not in text and "&lt;/script&gt;" in text


def test_figures_stand_beside_one_library(counted):
    subject, graph, recipe, report, _ = counted["digits-cnn"]
    found = files(export(Analysed(subject, graph), recipe, "figures_html", report=hostile(report)))
    assert set(found) == {"layers.html", "file_sizes.html", "weights.html", "accuracy.html", "plotly.min.js"}
    assert all('src="plotly.min.js"' in text for name, text in found.items() if name.endswith("html"))
    assert "<script>alert" not in found["layers.html"]


def test_numbers_that_were_not_given_are_measured():
    subject = load("digits-mlp")
    measured = Export(analyse(subject), Recipe(weights={"hidden1": 0.5})).measured()
    assert measured.stage == "final" and measured.pruned.samples == 450 and measured.pruned.latency_ms is None


# --------------------------------------------------------------------------- who gains


def test_who_gains_follows_from_what_was_removed():
    assert who_gains(Recipe()) == (UNCHANGED,)
    assert who_gains(Recipe(channels={"a": 0.5})) == (EVERYWHERE,)
    assert who_gains(Recipe(weights={"a": 0.5})) == (STORAGE_ONLY,)
    assert who_gains(Recipe(channels={"a": 0.5}, weights={"a": 0.5}, pattern="2:4")) == (
        EVERYWHERE,
        TWO_OF_FOUR,
    )
    assert "1:4" in who_gains(Recipe(weights={"a": 0.75}, pattern="1:4"))[0]
