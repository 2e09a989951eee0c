"""Models with several outputs, in any structure, are exported with all of them."""

import importlib.util
import io
import zipfile

import pytest
import torch
from torch import Tensor, nn

from explorer.engine.candidate import prepare
from explorer.exporters.export import export
from explorer.exporters.load_pruned import load_pruned
from explorer.exporters.onnx import parity
from explorer.graph.analysed import analyse
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject

WAYS = {
    "tuple": lambda a, b: (a, b),
    "dict": lambda a, b: {"out": a, "aux": b},
    "nested": lambda a, b: {"levels": [a, b], "mean": (a.mean((2, 3)),)},
    "places": lambda a, b: (a, b.flatten(2).argmax(2)),
}
RECIPE = Recipe(channels={"a": 0.5})


class Heads(nn.Module):
    def __init__(self, way: str):
        super().__init__()
        self.way, self.a = way, nn.Conv2d(3, 8, 3)
        self.cls, self.box = nn.Conv2d(8, 3, 1), nn.Conv2d(8, 4, 1)

    def forward(self, x: Tensor):
        x = torch.relu(self.a(x))
        return WAYS[self.way](self.cls(x), self.box(x))


@pytest.fixture(params=list(WAYS))
def subject(request):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, example = Heads(request.param).eval(), torch.randn(2, 3, 16, 16)
    return Subject(f"heads {request.param}", request.param, model, None, example)


def leaves(answers) -> list[Tensor]:
    return torch.utils._pytree.tree_leaves(answers)


def test_onnx_answers_with_all_of_them(subject):
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    import onnxruntime

    written = export(analyse(subject), RECIPE, "onnx")
    session = onnxruntime.InferenceSession(written)
    x = torch.randn(5, 3, 16, 16)
    small = prepare(analyse(subject), RECIPE).model
    wanted = leaves(small(x))
    found = session.run(None, {"inputs": x.numpy()})
    assert len(found) == len(wanted) == len({output.name for output in session.get_outputs()})
    for a, b in zip(found, wanted, strict=True):
        assert torch.allclose(torch.from_numpy(a), b, atol=1e-5)
    assert parity(written, small, {"inputs": x}) < 1e-5
    other = prepare(analyse(subject), Recipe(channels={"a": 0.25})).model  # the negative control
    assert parity(written, other, {"inputs": x}) > 1e-3


def test_load_pruned_and_the_python_file_answer_in_the_same_structure(subject, tmp_path):
    small = prepare(analyse(subject), RECIPE).model
    x = torch.randn(5, 3, 16, 16)
    zipfile.ZipFile(io.BytesIO(export(analyse(subject), RECIPE, "safetensors"))).extractall(tmp_path)
    (tmp_path / "snippet.py").write_bytes(export(analyse(subject), RECIPE, "python_snippet"))
    spec = importlib.util.spec_from_file_location("snippet", tmp_path / "snippet.py")
    snippet = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(snippet)
    wanted = small(x)
    for model in (load_pruned(tmp_path)[0], snippet.build()):
        answers = model(x)
        assert [v.shape for v in leaves(answers)] == [v.shape for v in leaves(wanted)]
        assert isinstance(answers, dict) == isinstance(wanted, dict)
        assert all(
            torch.allclose(a.double(), b.double(), atol=1e-5)
            for a, b in zip(leaves(answers), leaves(wanted), strict=True)
        )
