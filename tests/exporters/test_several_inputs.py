"""Exports take what the model takes: several inputs one by one, whole numbers as whole numbers."""

import importlib.util
import io
import json
import subprocess
import sys
import zipfile

import onnxruntime
import pytest
import torch
from rows import some
from torch.utils._pytree import tree_leaves

from explorer.engine.candidate import prepare
from explorer.exporters.export import Export, export
from explorer.exporters.load_pruned import load_pruned
from explorer.exporters.own_inputs import taken_apart
from explorer.graph.analysed import analyse
from explorer.loaders.model_text import load
from explorer.values.inputs import InputPart, in_one_row
from explorer.values.recipe import Recipe

FILE = '''
import torch
from torch import nn

class Two(nn.Module):
    input_shape = [(3, 12, 12), (5,)]

    def __init__(self):
        super().__init__()
        self.a, self.v, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(5, 7), nn.Linear(15, 4)

    def forward(self, image, vector):
        return self.fc(torch.cat([torch.relu(self.a(image)).mean((2, 3)), torch.relu(self.v(vector))], 1))

class Words(nn.Module):
    input_shape = (12,)

    def __init__(self):
        super().__init__()
        self.e, self.a, self.fc = nn.Embedding(50, 16), nn.Conv1d(16, 12, 3, padding=1), nn.Linear(12, 4)

    def forward(self, words):
        return self.fc(torch.relu(self.a(self.e(words).transpose(1, 2))).amax(2))

class Masked(Words):
    example_input = {"words": torch.randint(0, 50, (2, 12)), "counts": torch.ones(2, 12, dtype=torch.bool)}

    def forward(self, *, words, counts):
        x = torch.relu(self.a(self.e(words).transpose(1, 2))) * counts[:, None]
        return self.fc(x.amax(2)), x.mean((1, 2))

class OneBatch(Two):
    """Its code takes the number of samples for a constant."""

    def forward(self, image, vector):
        return super().forward(image.reshape(len(vector) * 1, 3, 12, 12), vector) + float(len(image) - 2)

class Unused(Two):
    """The second of its inputs is not read."""

    def forward(self, image, vector):
        return self.fc(torch.nn.functional.pad(torch.relu(self.a(image)).mean((2, 3)), (0, 7)))
'''
MODELS = "Two", "Words", "Masked", "Unused"
RECIPE = Recipe(channels={"a": 0.5})


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "inputs.py"
    path.write_text(FILE)
    return path


@pytest.fixture(scope="module")
def models(file):
    return {name: analyse(load(f"{file}:{name}")) for name in MODELS}


def inputs_of(model, samples=3):
    generator = torch.Generator().manual_seed(1)
    return [part.drawn(samples, generator) for part in reads(model)]


def reads(model):
    subject = model.subject
    return subject.reads or (InputPart("inputs", tuple(subject.example.shape[1:])),)


def expected(model, inputs):
    """The compact model in memory, which reads a row."""
    small = prepare(model, RECIPE).model
    return tree_leaves(small(in_one_row(inputs) if len(inputs) > 1 else inputs[0]))


def loaded(packed, folder):
    zipfile.ZipFile(io.BytesIO(packed)).extractall(folder)
    return load_pruned(folder)[0]


def python_file(packed, folder):
    (folder / "pruned_inputs.py").write_bytes(packed)
    spec = importlib.util.spec_from_file_location("pruned_inputs", folder / "pruned_inputs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build()


def pt2(packed, folder):
    return torch.export.load(io.BytesIO(packed)).module()


def onnx(packed, folder):
    session = onnxruntime.InferenceSession(packed, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]

    def run(*inputs):  # ONNX leaves out what nothing reads
        given = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=False)}
        return [torch.from_numpy(found) for found in session.run(None, given)]

    run.names = names
    return run


OPENED = {"safetensors": loaded, "python_snippet": python_file, "pt2": pt2, "onnx": onnx}


@pytest.mark.parametrize("name", some(MODELS, 2))
@pytest.mark.parametrize("format", OPENED)
def test_an_export_takes_what_the_model_takes(models, name, format, tmp_path):
    model = models[name]
    network = OPENED[format](export(model, RECIPE, format), tmp_path)
    inputs = inputs_of(model)
    with torch.no_grad():
        found, right = tree_leaves(network(*inputs)), expected(model, inputs)
    assert len(found) == len(right)
    for one, other in zip(found, right, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    if format == "onnx" and len(inputs) > 1 and name != "Unused":
        assert network.names == [part.name for part in reads(model)]


def test_where_the_row_was_taken_apart_nothing_is_left(models):
    graph = Export(models["Two"], RECIPE).model.graph
    assert [node.name for node in graph.nodes if node.op == "placeholder"] == ["image", "vector"]
    assert not any("split" in node.name or "reshape" in node.name for node in graph.nodes)


def test_the_model_that_was_measured_stays_as_it_is(models):
    model = models["Two"]
    small = prepare(model, RECIPE).model
    before = str(small.graph)
    apart = taken_apart(small, model.subject.reads)
    assert str(small.graph) == before and apart.a.weight is small.a.weight
    assert taken_apart(small, ()) is small


def test_a_row_that_is_read_whole_is_put_together(models):
    """Where the pieces are not found, the answer is still that of the row."""
    model = models["Two"]
    small = prepare(model, RECIPE).model
    split = next(node for node in small.graph.nodes if "split" in node.name)
    split.args = (split.args[0], [432, 4, 1], 1)
    with small.graph.inserting_after(split):
        last = small.graph.call_function(torch.ops.aten.slice.Tensor, (split.args[0], 1, 432, 437))
    piece = next(n for n in small.graph.nodes if n.name == "getitem_1")
    piece.replace_all_uses_with(last)
    small.graph.erase_node(piece)
    small.recompile()
    inputs = inputs_of(model)
    with torch.no_grad():
        apart = taken_apart(small, model.subject.reads)
        torch.testing.assert_close(apart(*inputs), expected(model, inputs)[0])


def test_other_shapes_and_counts_are_refused(models, tmp_path):
    image = inputs_of(models["Two"])[0]
    for format in ("safetensors", "python_snippet"):
        network = OPENED[format](export(models["Two"], RECIPE, format), tmp_path)
        with pytest.raises(ValueError, match=r"\(5,\).*\(6,\)"):
            network(image, torch.zeros(3, 6))
    network = loaded(export(models["Two"], RECIPE), tmp_path)
    with pytest.raises(ValueError, match=r"takes image, vector, got 1 inputs"):
        network(image)


def test_a_graph_of_one_batch_answers_any_number_of_samples(file, tmp_path):
    model = analyse(load(f"{file}:OneBatch"))
    about = json.loads(zipfile.ZipFile(io.BytesIO(export(model, RECIPE))).read("architecture.json"))
    assert about["input"]["batch"] == 2
    for format in ("safetensors", "python_snippet"):
        network = OPENED[format](export(model, RECIPE, format), tmp_path)
        for samples in (1, 2, 5):
            inputs = inputs_of(model, samples)
            with torch.no_grad():
                torch.testing.assert_close(network(*inputs), expected(model, inputs)[0])


def test_a_program_of_one_batch_refuses_others(file, tmp_path):
    model = analyse(load(f"{file}:OneBatch"))
    network = pt2(export(model, RECIPE, "pt2"), tmp_path)
    inputs = inputs_of(model, 2)
    with torch.no_grad():
        torch.testing.assert_close(network(*inputs), expected(model, inputs)[0])
    with pytest.raises(AssertionError):
        network(*inputs_of(model, 3))


def test_the_python_file_asks_itself(models, tmp_path):
    (tmp_path / "own.py").write_bytes(export(models["Masked"], RECIPE, "python_snippet"))
    done = subprocess.run([sys.executable, "own.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "parameters" in done.stdout, done.stderr
